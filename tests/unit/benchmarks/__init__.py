"""The benchmarks run, at the head, in little."""
