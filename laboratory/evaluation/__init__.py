"""Whether guidance does what it claims, judged by what it did not optimise."""
