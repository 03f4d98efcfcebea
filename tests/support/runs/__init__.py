"""Projects and checkouts whose runs are started, killed, canceled or looked at."""
