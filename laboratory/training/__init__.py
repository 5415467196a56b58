"""Training of the demo models, part by part."""
