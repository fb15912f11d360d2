"""The training loop: problem, loop, journal and saved state."""
