"""Losses: a value of one kind of output, and its cotangent."""
