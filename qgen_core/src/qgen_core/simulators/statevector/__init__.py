"""The embedded state-vector simulator, compiled with numba at first use: ``statevector``.

``decompose`` writes a circuit as plane rotations, CNOTs and phases; ``plan`` packs them into stages
and tiles, whose ``steps`` are written as ``tables`` for compiled code. ``program`` runs batches of
angles through ``sweep``: ``rotations`` computes cosines and sines, ``kernels`` runs the tiles
forward and backward by ``instructions`` on ``registers``, and ``outputs`` reads the states.
docs/engine.md says why it is built like this.
"""
