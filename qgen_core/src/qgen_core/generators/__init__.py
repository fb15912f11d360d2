"""Generators: the models."""
