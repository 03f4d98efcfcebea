"""The application that answers requests, and what stands before it.

What it serves is in `version`.
"""
