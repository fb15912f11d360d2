"""Datasets: functions that return events, one per module."""
