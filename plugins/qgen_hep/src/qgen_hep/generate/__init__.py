"""Generating events with Monte Carlo generators (extra ``pythia``)."""
