"""Measurement of guidance by quantities that it does not optimise."""
