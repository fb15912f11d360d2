"""Qiskit for qgen: simulators, the noise of IBM devices as a map of circuits, and IBM Runtime."""
