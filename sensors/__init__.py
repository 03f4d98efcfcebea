"""Sensors: they read, decide and request runs; the work belongs in a run.

The rule they decide by is in `mlops_assets.ml.retraining`; what runs at a fixed time is a schedule
in `jobs`.
"""
