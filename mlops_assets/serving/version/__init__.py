"""One model version in memory, the worker's hold on it, and its log.

Requests are in `serving.api`; reading the log again is in `resources.prediction_log`.
"""
