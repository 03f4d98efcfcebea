"""Sensors: they read, decide and request runs; the work belongs in a run."""
