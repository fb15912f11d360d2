"""Figures of a report: the training, and the generated events compared with the reference."""
