"""When to retrain, replayed: `python -m benchmarks.retraining`."""
