"""Nodes that sample, and their settings."""
