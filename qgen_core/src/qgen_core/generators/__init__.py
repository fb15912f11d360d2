"""Generators: the generative models."""
