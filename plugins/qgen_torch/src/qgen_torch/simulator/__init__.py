"""State vectors in torch: a few large operations a layer of the circuit, differentiable any number of times."""
