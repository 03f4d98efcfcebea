"""Which version is the champion: the ledger, and the aliases and rollbacks that follow it.

Whether a version may become it is in `mlops_assets.ml.evaluation`; how one is served in `endpoints`
and `cluster`; the registry itself in `tracking`.
"""
