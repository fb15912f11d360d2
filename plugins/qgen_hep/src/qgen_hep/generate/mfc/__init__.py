"""Muons on a target that radiate a muonic force carrier: a stand-in for MadGraph events."""
