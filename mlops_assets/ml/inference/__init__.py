"""What a worker computes with a stored model.

Nothing here is needed to fit one: that is in `training`.
"""
