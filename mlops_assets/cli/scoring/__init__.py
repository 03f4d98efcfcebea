"""The verb `score`, and what it says; what it does is `mlops_assets/scoring/`."""
