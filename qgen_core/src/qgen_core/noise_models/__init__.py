"""Noise models: functions from (circuit, measure) to both of them with noise."""
