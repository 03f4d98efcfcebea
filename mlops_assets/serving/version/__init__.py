"""One version in memory, the worker's hold on it, and its log; requests are in `serving.api`."""
