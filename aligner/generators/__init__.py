"""Pre-trained generators, one module each, behind one small protocol (see base.py)."""
