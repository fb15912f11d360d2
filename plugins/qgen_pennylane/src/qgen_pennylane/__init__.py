"""PennyLane for qgen: its own simulators, lightning, and any other device by name."""
