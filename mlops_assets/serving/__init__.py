"""What runs in the endpoint's process, never with Dagster; who starts it: `resources.endpoints`."""
