"""A source -> typed rows that keep the contract, and the others with the reason why not.

What is computed from good rows is in `ml.features`; keeping versions of the files in
`resources.datasets`.
"""
