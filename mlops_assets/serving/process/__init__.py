"""The processes of an endpoint: who starts whom, who ends whom. What they answer is in `api`."""
