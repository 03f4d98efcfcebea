"""Dagster's and MLflow's pages behind one guard; that before an endpoint is in `serving.api`."""
