"""Functions on frames and plain values: the same arguments give the same result.

Nothing of Dagster, MLflow, Feast, BentoML, Evidently or DVC, no clock and nothing of the state
folder: those come in as arguments from `mlops_assets.assets`, `mlops_assets.model_versions` and
`mlops_assets.monitoring`. Rooms are named like the blocks of the YAML; what several rooms share
stands beside them.
"""
