"""Devices of many vendors through qBraid's runtime, as the backend ``qbraid``."""
