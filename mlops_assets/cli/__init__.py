"""The command line `mlops`: one module per family of verbs, put together in `main`.

Arguments, output and exit codes. What a job of Dagster does too is in `resources` or below;
starting the user interfaces is in `interfaces`.
"""
