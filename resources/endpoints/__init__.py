"""Endpoints on this machine: their files, processes and clients.

What runs in those processes is in `mlops_assets.serving`.
"""
