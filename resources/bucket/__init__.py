"""A bucket of an S3 server in the place of folders that machines would share: MLOPS_BUCKET.

What is kept below which key stands with its owner.
"""
