"""Encoders that are networks."""
