"""What the studies have in common: grids, texts of numbers over seeds, and the look of figures."""
