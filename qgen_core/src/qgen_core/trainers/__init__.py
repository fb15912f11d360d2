"""Trainers: they update the parameters from gradients, from losses alone, or layer by layer."""
