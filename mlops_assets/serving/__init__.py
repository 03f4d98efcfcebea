"""What runs inside the endpoint process. Never imports Dagster: it must start fast, stay small."""
