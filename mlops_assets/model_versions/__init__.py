"""What becomes of a version between the registry and its endpoint: judged, described, packed.

The assets that call it are in `assets`, arithmetic in `ml`, MLflow in `resources.tracking`, and
which version is champion in `resources.champion`.
"""
