"""Pipelines of diffusers: the search plays them from outside, unmodified, and finds the seed that fits best."""
