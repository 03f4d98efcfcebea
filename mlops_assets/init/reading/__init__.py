"""Files -> a bounded sample of their rows as texts, and how the files are written."""
