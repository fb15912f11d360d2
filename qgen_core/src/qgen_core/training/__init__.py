"""Training: the problem given to trainers, the loop, the journal, and the loop's checkpoints."""
