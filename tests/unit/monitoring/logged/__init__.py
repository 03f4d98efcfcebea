"""The prediction log: its lines, days and their compaction."""
