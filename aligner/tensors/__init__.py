"""General tools for tensors and modules: precision, device placement, memory, determinism, resampling."""
