"""Binders: models that embed pictures, sounds and words in one space, behind one protocol (see base.py)."""
