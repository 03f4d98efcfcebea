"""A table whose rows stay in their file, from raw files to the reference profile."""
