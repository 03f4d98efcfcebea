"""What we add to Dagster itself: executors, stored values, its sqlite, who launched and who canceled. Assets and jobs are elsewhere."""
