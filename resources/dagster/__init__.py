"""What we add to Dagster itself: executors, stored values, its sqlite, users and cancellation.

Assets, jobs and sensors are in `mlops_assets.assets`, `jobs` and `sensors`; the guard before its
pages is in `mlops_assets.interfaces`.
"""
