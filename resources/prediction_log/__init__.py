"""The prediction log as Parquet, and the counts of its days.

The lines that workers write are in `mlops_assets.ml.inference.log_lines`, what is computed from
rows in `mlops_assets.ml.monitoring`.
"""
