"""Raw rows: found, read, typed and held to the contract.

What is computed from good rows is in `features`.
"""
