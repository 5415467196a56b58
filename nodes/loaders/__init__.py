"""Nodes that load or fetch models."""
