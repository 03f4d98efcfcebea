"""Held-out rows and fitted models -> metrics, comparisons, and whether one may replace another.

What live rows say is in `ml.monitoring`. Fetching models, and keeping the verdict, is in
`model_versions.gate`.
"""
