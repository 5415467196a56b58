"""Nodes that score and rank results."""
