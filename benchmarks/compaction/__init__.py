"""What compacting a day of predictions takes, beside Polars."""
