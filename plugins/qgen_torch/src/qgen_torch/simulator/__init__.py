"""The state-vector simulator behind the backend ``torch``."""
