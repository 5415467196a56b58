"""The demo models as MODEL, CLIP and VAE of ComfyUI's own, so that its samplers sample them without a download."""
