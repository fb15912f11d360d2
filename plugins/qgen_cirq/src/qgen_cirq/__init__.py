"""Cirq for qgen: its simulators of states and density matrices, and qsim."""
