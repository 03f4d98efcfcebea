"""In-memory stand-ins; `e2e/` holds each and the real one to the same contracts."""
