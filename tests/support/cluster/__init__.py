"""A cluster that is made up, and what runs in one; the fake API is in `tests/kubernetes_api`."""
