"""Samplers that compute with torch."""
