"""Devices over a network: calls that end in time, and jobs of which none is paid for twice."""
