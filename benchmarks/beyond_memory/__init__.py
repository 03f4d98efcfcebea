"""An event log beyond memory, from raw files to features and labels."""
