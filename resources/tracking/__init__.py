"""MLflow: runs, registry, and its store. Which version is the champion is decided in `champion`."""
