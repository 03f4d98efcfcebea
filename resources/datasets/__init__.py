"""Versions of the raw data, by DVC.

Looking for a source's files, and reading their rows, is `mlops_assets.ml.data`.
"""
