"""Endpoints on this machine: their files, processes and clients; and what any deployer must do.

What runs in those processes is in `mlops_assets.serving`, pods in `cluster`, and which of the two a
model is served by in `resources.deployment`.
"""
