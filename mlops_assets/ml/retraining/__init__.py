"""When to train again. What it decides by is measured in `monitoring`."""
