"""Nodes for results with parts: which seconds follow what, and which are made anew."""
