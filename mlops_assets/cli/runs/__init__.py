"""The verbs `run`, `train` and `deploy`, and one model on such a way; `monitor` takes it too."""
