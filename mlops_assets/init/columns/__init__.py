"""What a column is, by rules; what it is for, as entity or target, is in `init`."""
