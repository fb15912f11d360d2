"""Circuits: gates, measures, what a backend can do, and how circuits are drawn and exported."""
