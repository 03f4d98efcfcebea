"""What we add to Dagster itself: executors, stored values, its sqlite, users and cancellation.

Assets, jobs and sensors are elsewhere.
"""
