"""Figures that are known already -> PNG bytes; pages for Grafana are in `deploy/`."""
