"""What a source says beside its files: how a database is named, how rows are cut by time."""
