"""Nodes that steer: settings of the rules, and ComfyUI's own MODELs."""
