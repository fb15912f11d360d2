"""Showers of electrons in a CLIC-like calorimeter: its layers, and a stand-in for Geant4."""
