"""Variational autoencoders: discrete latents with a Boltzmann prior, and continuous ones."""
