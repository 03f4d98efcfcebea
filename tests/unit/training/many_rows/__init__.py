"""Training on more rows than memory or time has: sampled, weighted, in their file, on Spark."""
