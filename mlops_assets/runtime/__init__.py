"""What every process of ours does, whatever its task; nothing of models, Dagster or endpoints."""
