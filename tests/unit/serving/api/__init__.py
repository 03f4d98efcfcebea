"""What a client meets: the guard, the routes, refusals, trials, metrics."""
