"""What any process of ours does, whatever its task: it ends when asked and tells no secret.

Files written whole, interrupts heard, usage not reported. Nothing of models, Dagster or an
endpoint: that is in `resources` and `serving`.
"""
