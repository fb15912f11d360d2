"""PennyLane for qgen: its simulators, lightning, and any other device by name."""
