"""Density matrices in the Pauli basis, compiled with numba at first use: the backend ``density``.

``pauli`` writes gates and channels as real matrices; ``plan`` packs them into passes and arranges
the density matrix; ``tables`` writes the plan as arrays, whose columns ``layout`` names; ``bind``
computes the matrices of groups from angles, ``fold`` those of passes from these; ``kernels`` runs
the passes forward and backward; ``program`` runs batches, and ``outputs`` reads them. docs/noise.md
says why it is built like this.
"""
