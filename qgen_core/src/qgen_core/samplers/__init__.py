"""Samplers of Ising energies."""
