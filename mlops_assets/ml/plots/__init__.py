"""Figures that are known already -> pictures, as PNG bytes.

What they show is computed in `ml.evaluation` and `ml.monitoring`; pages for Grafana are in
`deploy/`.
"""
