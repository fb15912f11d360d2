"""Optimisation with torch: optimisers, schedulers, moving averages and data parallelism."""
