"""Versions of the raw data, by DVC, and what is kept of them by partition.

Looking for a source's files, and reading their rows, is `mlops_assets.ml.data`.
"""
