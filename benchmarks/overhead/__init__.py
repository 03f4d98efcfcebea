"""What Dagster and this project cost beside their libraries: `python -m benchmarks.overhead`."""
