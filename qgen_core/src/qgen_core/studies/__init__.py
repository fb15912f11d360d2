"""Studies: grids of trainings, their results, and who executes them."""
