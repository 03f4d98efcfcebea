"""The prediction log as Parquet. The lines that workers write are `ml.inference.log_lines`."""
