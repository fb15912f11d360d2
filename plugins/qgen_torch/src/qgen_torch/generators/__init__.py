"""Generators that are networks, or whose angles are made by one."""
