"""Recipes, run folders, and what is made of them."""
