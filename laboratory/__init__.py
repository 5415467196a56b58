"""Training of the demo models and measurement of guidance: a package beside `aligner`, for developers."""
