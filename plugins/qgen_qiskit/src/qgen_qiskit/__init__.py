"""Qiskit for qgen: simulators, the noise of IBM devices, and IBM Runtime."""
