"""Metrics of events of high-energy physics."""
