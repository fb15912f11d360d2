"""Datasets, file readers and figures of high-energy physics for qgen."""
