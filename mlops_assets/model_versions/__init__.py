"""What becomes of a version between the registry and its endpoint.

The assets that call it are in `assets`, arithmetic in `ml`.
"""
