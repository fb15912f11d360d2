"""Photon showers in a planar imitation of the ATLAS barrel, in voxels of the CaloChallenge."""
