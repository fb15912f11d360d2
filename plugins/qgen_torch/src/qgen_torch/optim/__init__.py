"""Moving parameters with torch: optimisers, schedulers, averages, several processes."""
