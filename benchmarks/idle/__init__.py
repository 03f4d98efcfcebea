"""What a daemon costs that has nothing to do."""
