"""Pictures as PNG bytes. What they show is computed elsewhere."""
