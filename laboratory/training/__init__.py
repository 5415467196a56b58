"""How the demo models were trained, part by part."""
