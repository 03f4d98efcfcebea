"""Endpoints and steps as pods of a Kubernetes cluster.

What runs in a pod of an endpoint is in `mlops_assets.serving`; the manifests for people, with
Dagster's own pods, are in `deploy/`.
"""
