"""Figures of a report: what was trained, and how the generated events compare with the reference."""
