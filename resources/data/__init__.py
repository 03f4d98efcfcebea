"""What is kept of a model's data between runs; its versions are `resources.datasets`.

Reading and checking rows is `mlops_assets.ml.data`.
"""
