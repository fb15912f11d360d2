"""D-Wave for qgen: its software samplers, an emulated annealer, and annealers over the network."""
