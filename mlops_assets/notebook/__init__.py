"""What a model has become, in one call of Python: `mlops_assets.load`, `history` and `score`.

Only reading: nothing here writes into the state folder, and what is not there is refused by name.
"""
