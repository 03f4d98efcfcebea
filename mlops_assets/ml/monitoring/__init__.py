"""Logged predictions -> drift, performance and skew of a live version, by window.

When to train again because of it is in `ml.retraining`. Reading logs and references is in
`mlops_assets.monitoring`, pictures in `ml.plots`.
"""
