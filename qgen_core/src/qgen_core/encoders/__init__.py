"""Encoders: maps between physical quantities and the bits, spins, angles or reals of a model."""
