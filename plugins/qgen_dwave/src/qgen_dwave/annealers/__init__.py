"""Annealers, emulated or over the network: their chips, embeddings and temperature."""
