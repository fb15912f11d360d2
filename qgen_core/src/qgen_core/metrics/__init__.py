"""Metrics: comparisons of generated with reference events, with their finite-sample floors."""
