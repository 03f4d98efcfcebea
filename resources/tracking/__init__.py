"""MLflow: runs, registry, and its store.

Which version is the champion is decided in `champion`; what a run is told about a version is
gathered in `mlops_assets.model_versions`.
"""
