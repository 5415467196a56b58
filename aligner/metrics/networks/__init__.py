"""The networks whose features published tables compare. Their weights are files that users supply."""
