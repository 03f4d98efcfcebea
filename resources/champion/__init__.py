"""Which version is the champion: the ledger, and the aliases and rollbacks that follow it.

How a version is served is in `endpoints` and `cluster`.
"""
