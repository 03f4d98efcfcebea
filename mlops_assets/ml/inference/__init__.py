"""A stored model and rows -> scores: what a worker imports to answer.

Nothing that only a training needs (`ml.training`, `ml.export`), and no HTTP (`serving`).
"""
