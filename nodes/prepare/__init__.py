"""Nodes that prepare what samplers take."""
