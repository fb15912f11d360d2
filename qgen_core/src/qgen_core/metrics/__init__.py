"""Numbers that compare generated with reference events, and their floors."""
