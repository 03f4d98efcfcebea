"""What `mlops init` reads: files that are untidy, damaged or elsewhere."""
