"""The flights model: its YAML and the loader that joins its two tables."""
