"""The command line `mlops`: one module per family of verbs, put together in `main`."""
