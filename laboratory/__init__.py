"""Where the demo models come from and how guidance is measured: a package beside `aligner`, for its makers."""
