"""What is found in a live window: logs, labels and references brought together, and shown.

The assets that call it are in `assets`, arithmetic in `ml.monitoring`, reading the log in
`resources.prediction_log`.
"""
