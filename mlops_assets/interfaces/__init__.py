"""The user interfaces, Dagster's and MLflow's, each a process behind the same guard."""
