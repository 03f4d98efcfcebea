"""One model version in memory, the worker's hold on it, and its log. Requests are in `api`."""
