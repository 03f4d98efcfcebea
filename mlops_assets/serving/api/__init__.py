"""What answers requests, and what stands before it; what is served is in `serving.version`."""
