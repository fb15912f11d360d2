"""Files, memory, random streams and caches, below everything else."""
