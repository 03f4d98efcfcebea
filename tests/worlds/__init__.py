"""Worlds that nobody here has seen: strategies of tables, ids, moments, names, logs and peers.

Nothing is asserted here; the properties that must hold in every world stand beside the tests of
what they are about. `MLOPS_EXAMPLES=1000` tries that many worlds for each.
"""
