"""Datasets: factories of events, one a file."""
