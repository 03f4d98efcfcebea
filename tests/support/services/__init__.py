"""Real servers that are not ours, and the processes and clients that ask them at once or badly."""
