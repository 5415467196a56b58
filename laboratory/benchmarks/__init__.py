"""Time and memory of guided steps."""
