"""The feature store at size: training rows, publications, and what MLflow is told of them."""
