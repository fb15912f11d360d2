"""Density matrices in the Pauli basis, compiled with numba at first use: the backend ``density``.

``pauli`` writes gates and channels as real matrices; ``plan`` packs them into passes and lays the
density matrix out; ``bind`` and ``tables`` make the matrices of the passes from angles; ``kernels``
runs the passes forward and backward; ``program`` runs batches, ``outputs`` reads them.
docs/noise.md says why it is built as it is.
"""
