"""The verbs that ask a live model, and those that say how things are and why."""

from mlops_assets.cli.parser import kinds
from mlops_assets.cli.parser.verb import MODEL, MODELS, Group, Verb, takes

PREDICT = Verb(
    "predict",
    "mlops_assets.cli.endpoints.predict",
    "ask an endpoint for entities by id",
    (MODEL, takes("entities", nargs="+", metavar="entity", help="ids")),
    examples=("mlops predict customers 1 2",),
    more="Exit code 1 when one is refused.",
)
SCORE = Verb(
    "score",
    "mlops_assets.cli.scoring.verb.score",
    "predict for every entity, or for the rows of a file, into Parquet",
    (
        MODEL,
        takes(
            "--input",
            type=kinds.address,
            metavar="FILE|GLOB",
            help="the table; default: every entity's features",
        ),
        takes(
            "--output",
            type=kinds.path,
            metavar="FILE",
            help="a *.parquet; default: in the state folder",
        ),
    ),
    examples=("mlops score customers", "mlops score customers --output scores.parquet --json"),
    more="The table is read as the model's own source is: by `contract`, which may lack the label, "
    "and in the dialect of `source`; *.parquet, *.jsonl and *.csv by their names. A row that "
    "breaks the contract is in OUTPUT.quarantine.parquet with its reason. Exit code 1 if more of "
    "the rows are than `contract.max_bad_fraction` allows, or nothing can be scored.",
    facts="mlops_assets.records.scoring.BatchSummary",
)
STATUS = Verb(
    "status",
    "mlops_assets.cli.endpoints.status",
    "what each endpoint serves, and whether it should",
    (
        MODELS,
        takes(
            "--html",
            type=kinds.path,
            metavar="FILE",
            help="write the status page of these models too; default: none",
        ),
    ),
    examples=("mlops status", "mlops status customers", "mlops status --html status.html"),
    more="Exit code 1 unless each serves its champion, by a sound YAML. The page also shows "
    "requests, drift, performance, the last decision and the next run; `mlops dev` serves it.",
)
HISTORY = Verb(
    "history",
    "mlops_assets.cli.promotions.history",
    "which version was champion when, by whom and why",
    (
        MODEL,
        takes(
            "--at",
            metavar="MOMENT",
            help="only then, e.g. 2026-03-03 or 2026-03-03T12:00 (UTC); default: every move",
        ),
    ),
    examples=("mlops history customers", "mlops history customers --at 2026-03-03"),
)
WHY = Verb(
    "why",
    "mlops_assets.cli.monitoring.why",
    "what the retrain policy decided, and why",
    (
        MODEL,
        takes("--last", type=kinds.number, default=10, metavar="N", help="newest; default: 10"),
    ),
    examples=("mlops why customers", "mlops why customers --last 3"),
)

GROUPS = (
    Group("Ask a live model", (PREDICT, SCORE)),
    Group("See how things are, and why", (STATUS, HISTORY, WHY)),
)
