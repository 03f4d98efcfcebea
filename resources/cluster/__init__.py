"""Endpoints and steps as pods of a Kubernetes cluster.

The manifests for people are in `deploy/`.
"""
