"""A delivery whose rows are checked piece by piece: by partitions of time, or by batches."""
