"""Dask for qgen: the cells of studies on the workers of a cluster."""
