"""Where rows of ours are kept: a sqlite file, or a Postgres server that several machines share.

What the rows are stands with their owner: `resources.champion.ledger`, `resources.decisions`.
"""
