"""The embedded simulator engine, compiled with numba at first use.

``decompose`` writes a circuit as plane rotations, CNOTs and phases; ``plan`` packs them into
passes over memory; ``kernels`` runs the passes forward and backward; ``backend`` is the
backend ``statevector``. docs/ says why it is built as it is.
"""
