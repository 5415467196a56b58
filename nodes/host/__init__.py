"""What nodes need of ComfyUI: conversions, model management, folders, progress."""
