"""Files on disk: weights read without running code, atomic writing, strict loading, and checked downloads."""
