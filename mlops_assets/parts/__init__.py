"""The stages of a model alone: each a callable over a frame and its block of the YAML.

By the very functions that the assets call, and without Dagster, a tracking server or a feature
store. What is kept, versioned, published or deployed belongs to the assets.
"""
