"""Dagster's runs and their steps as pods: what dagster-k8s starts, watched, explained and ended.

The objects of endpoints are in `resources.cluster`; where these pods run, in `deploy/`.
"""
