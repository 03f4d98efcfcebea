"""Swaps, canaries and kills under load: `python -m benchmarks.rollout`."""
