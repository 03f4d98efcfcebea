"""A prediction's cost beside other servers: `python -m benchmarks.serving`."""
