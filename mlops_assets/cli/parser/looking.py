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
    facts="mlops_assets.cli.facts.records.Answered[]",
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
    "and in the dialect of `source`; *.parquet, *.jsonl and *.csv by their names "
    "(of a source with `format: whitespace` blanks delimit a *.csv too). A row that "
    "breaks the contract is in OUTPUT.quarantine.parquet with its reason. Exit code 1 if more of "
    "the rows are than `contract.max_bad_fraction` allows, or nothing can be scored.",
    facts="mlops_assets.records.scoring.BatchSummary",
)
EXPLAIN = Verb(
    "explain",
    "mlops_assets.cli.facts.explain.explain",
    "why a request was answered so, or an entity would be now: row, encoded row, contributions",
    (
        MODEL,
        takes("asked", metavar="request|entity", help="a logged `request_id`, or an id"),
    ),
    examples=("mlops explain customers 23570",),
    more="Contributions are Shapley values, with unknown features taken from held-out rows that "
    "are kept with the version (Strumbelj and Kononenko 2014): exact where the model is additive, "
    "as a linear one is, and with up to 8 features; else estimated by 200 random orders. The "
    "answer says which. scikit-learn computes them, also where ONNX Runtime serves.",
    facts="mlops_assets.cli.facts.records.Explanation",
)
MONITOR = Verb(
    "monitor",
    "mlops_assets.cli.monitoring.monitor",
    "drift and performance of what was predicted, now instead of by the next schedule",
    (MODELS,),
    examples=("mlops monitor customers", "mlops monitor --json"),
    more="Runs the job MODEL_monitoring, which trains and deploys nothing. Exit code 1 where "
    "something has drifted, is broken or has degraded, or could not be read.",
    facts="mlops_assets.cli.facts.records.WatchedModel[]",
)
LIST = Verb(
    "list",
    "mlops_assets.cli.facts.overview.list_models",
    "every model: what is live since when, the gate's last verdict, the last run",
    examples=("mlops list", "mlops list --json"),
    facts="mlops_assets.cli.facts.records.ListedModel[]",
)
SHOW = Verb(
    "show",
    "mlops_assets.cli.facts.versions.show",
    "one version: who made it champion when, its card, metrics, gate and data",
    (
        takes(
            "name",
            metavar="MODEL[@VERSION]",
            help="a number, champion or previous; default: champion",
        ),
    ),
    examples=("mlops show customers", "mlops show customers@1"),
    facts="mlops_assets.cli.facts.records.ShownVersion",
)
COMPARE = Verb(
    "compare",
    "mlops_assets.cli.facts.versions.compare",
    "two versions: metrics, slices, features, parameters, data",
    (
        takes("a", metavar="A", help="MODEL@VERSION"),
        takes("b", metavar="B", help="MODEL@VERSION"),
    ),
    examples=("mlops compare customers@1 customers@champion",),
    facts="mlops_assets.cli.facts.records.ComparedVersions",
)
LOGS = Verb(
    "logs",
    "mlops_assets.cli.facts.places.logs",
    "what the newest run of a model did, and what its endpoint said",
    (
        MODEL,
        takes("--run", metavar="ID", help="of Dagster, or how it begins; default: the newest"),
        takes("--last", type=kinds.number, default=50, metavar="N", help="lines; default: 50"),
    ),
    examples=("mlops logs customers", "mlops logs customers --last 10"),
)
OPEN = Verb(
    "open",
    "mlops_assets.cli.facts.places.open_pages",
    "the addresses of a model in the Dagster UI, in MLflow, and of its endpoint",
    (
        MODEL,
        takes(
            "page",
            nargs="?",
            choices=["dagster", "mlflow", "endpoint"],
            default="dagster",
            help="which one opens in a browser, on a terminal; default: dagster",
        ),
    ),
    examples=("mlops open customers", "mlops open customers mlflow"),
    facts="mlops_assets.cli.facts.records.Addresses",
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
    facts="mlops_assets.cli.facts.records.ServedModel[]",
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
    facts="mlops_assets.records.promotion.Promotion[]",
)
WHY = Verb(
    "why",
    "mlops_assets.cli.retraining.why",
    "what the retrain policy decided, and why",
    (
        MODEL,
        takes("--last", type=kinds.number, default=10, metavar="N", help="newest; default: 10"),
    ),
    examples=("mlops why customers", "mlops why customers --last 3"),
    facts="mlops_assets.cli.facts.records.Decisions",
)
SQL = Verb(
    "sql",
    "mlops_assets.cli.facts.sql.sql",
    "the YAML's contract, features or labels as a query for a table of your own warehouse",
    (
        MODEL,
        takes(
            "part",
            choices=[
                *("contract", "quarantine", "features", "labels", "training", "scoring", "profile"),
            ],
            help="of the YAML: the good rows, the others with the reasons, features, targets, "
            "both, what would be scored now, or its profile",
        ),
        takes(
            "--dialect",
            choices=[
                *("duckdb", "postgres", "snowflake", "bigquery", "databricks", "trino"),
                "clickhouse",
            ],
            default="duckdb",
            help="whose SQL; default: duckdb",
        ),
        takes(
            "--table",
            metavar="TABLE",
            help="which holds the rows, e.g. shop.orders; default: that of `source`",
        ),
        takes(
            "--asked",
            metavar="TABLE",
            help="of `features`: a table of entities and `event_timestamp`, at whose moments they "
            "are wanted; default: at every moment",
        ),
        takes(
            "--bins",
            type=kinds.path,
            metavar="FILE",
            help="of `profile`: the `reference_profile.json` of a version; default: none",
        ),
        takes(
            "--zoned",
            action="store_true",
            help="its datetimes have a zone; default: they have none, and are UTC",
        ),
    ),
    examples=(
        "mlops sql customers contract --table sales",
        "mlops sql customers training --table sales --dialect postgres",
    ),
    more="Reads the YAML alone, asks no warehouse and writes nothing. The table's columns have the "
    "names of the source and the types of the contract.",
    anywhere=True,
)

GROUPS = (
    Group("Ask a live model", (PREDICT, SCORE, EXPLAIN)),
    Group(
        "See how things are, and why",
        (LIST, STATUS, MONITOR, SHOW, COMPARE, HISTORY, WHY, LOGS, OPEN, SQL),
    ),
)
