"""Noise models: functions of (circuit, measure) that return both, made noisy."""
