"""The embedded simulators, and what all exact simulators share."""
