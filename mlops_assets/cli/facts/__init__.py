"""The verbs that only look: `list`, `show`, `compare`, `logs`, `open`, `explain`, `doctor`, `sql`.

They read the ledger, the registry, kept documents, Dagster's history and the prediction log through
the resources of a run, and keep nothing of their own. What they print as JSON is in `records`.
"""
