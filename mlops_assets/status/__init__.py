"""The status page: what every model does now, on one page for who does not open Dagster.

What is found in a live window is `mlops_assets.monitoring`'s; here it is only shown.
"""
