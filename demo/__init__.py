"""`make demo`: the two example models, replayed month by month through the system itself."""
