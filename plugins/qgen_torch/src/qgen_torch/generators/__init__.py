"""Generators that are networks, or circuits whose angles are functions of noise."""
