"""One YAML file per model; from raw data to a live endpoint as Dagster assets.

Importing this package must stay free of side effects: import the concrete module you need.
"""
