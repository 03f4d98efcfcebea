"""Logs, labels and references of a live window, brought together for `assets` to show."""
