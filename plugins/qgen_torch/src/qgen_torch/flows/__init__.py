"""Flows: invertible networks, and flows that are integrated over time."""
