"""Training: the problem given to trainers, the loop, its journal and its checkpoints."""
