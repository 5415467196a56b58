"""Comparisons with the reference code of published models, on random weights."""
