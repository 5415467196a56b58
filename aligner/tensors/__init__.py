"""Tensors and modules in general: precision, device, memory, repeatability, sample rates."""
