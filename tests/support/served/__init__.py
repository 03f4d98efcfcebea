"""Models as they are served: fitted, in a worker, behind an endpoint, or attacked."""
