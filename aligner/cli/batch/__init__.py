"""Many results in one run: from a manifest or a folder to results, each with a record of how it was made."""
