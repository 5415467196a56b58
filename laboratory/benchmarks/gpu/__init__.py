"""Everything that is only counted or estimated where there is no GPU, measured on one in about ten minutes."""
