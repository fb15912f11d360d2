"""Losses: a value computed from one kind of output, and its cotangent."""
