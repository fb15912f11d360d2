"""Encoders: physics numbers to and from a model's alphabet."""
