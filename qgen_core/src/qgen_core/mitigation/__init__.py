"""Error mitigation: backends that undo noise."""
