"""What `qgen doctor` does: each package is tried in a process of its own."""
