"""Showers in the calorimeter of the CaloGAN data set."""
