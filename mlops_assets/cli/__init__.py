"""The command line `mlops`: arguments, output, exit codes; what jobs do too is in `resources`."""
