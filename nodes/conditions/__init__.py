"""Nodes that make and change conditions."""
