"""What is found in a live window, gathered and shown.

The assets that call it are in `assets`, arithmetic in `ml.monitoring`.
"""
