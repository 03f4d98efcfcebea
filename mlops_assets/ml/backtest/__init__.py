"""What training again would have been worth, over the labelled rows of the past."""
