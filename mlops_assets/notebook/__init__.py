"""What a model has become, in one call of Python: `load`, `history` and `score` of the package.

Only reading: nothing here writes into the state folder, and what is not there is refused by name.
"""
