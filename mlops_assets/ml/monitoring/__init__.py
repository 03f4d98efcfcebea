"""What the prediction log tells of a live version.

When to train again because of it is in `retraining`.
"""
