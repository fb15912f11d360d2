"""Benchmarks of the embedded engine against its peers, its past and the machine's limit.

``python -m benchmarks.run`` measures, ``benchmarks.environments`` installs the peers.
Nothing here is imported by qgen; contestants import their own library only.
"""
