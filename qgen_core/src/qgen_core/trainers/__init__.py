"""How parameters move: by gradient, by values alone, or layer by layer."""
