"""Gates: one function for each type of value that comes from elsewhere. What passes is safe; the rest is a sentence."""
