"""The verbs that move a champion or hold its retraining, repeat a training, and run the place."""

from mlops_assets.cli.parser import kinds
from mlops_assets.cli.parser.verb import MODEL, Group, Verb, takes

ROLLBACK = Verb(
    "rollback",
    "mlops_assets.cli.promotions.rollback",
    "serve an older version again",
    (
        MODEL,
        takes("--to", type=int, metavar="VERSION", help="which; default: the champion before"),
        takes("--why", metavar="TEXT", type=kinds.reason, help="kept in the ledger; default: none"),
    ),
    examples=("mlops rollback customers --why 'complaints since noon'",),
    facts="mlops_assets.records.promotion.HandMove",
)
PROMOTE = Verb(
    "promote",
    "mlops_assets.cli.promotions.promote",
    "serve a version that was deployed before, whatever the gate says",
    (
        MODEL,
        takes("version", type=int, help="its number, as in `mlops history`"),
        takes("--why", metavar="TEXT", type=kinds.reason, required=True, help="kept in the ledger"),
    ),
    examples=("mlops promote customers 1 --why 'the season of last year is back'",),
    facts="mlops_assets.records.promotion.HandMove",
)
PAUSE = Verb(
    "pause",
    "mlops_assets.cli.retraining.pause",
    "start no training by the retrain policy for a while",
    (
        MODEL,
        takes(
            "--for",
            dest="span",
            type=kinds.span,
            required=True,
            metavar="SPAN",
            help="7d, 12h, 30min or 2w",
        ),
        takes("--why", metavar="TEXT", type=kinds.reason, required=True, help="for the others"),
    ),
    examples=("mlops pause customers --for 7d --why 'the source is being moved'",),
    more="A training that runs goes on.",
)
RESUME = Verb(
    "resume",
    "mlops_assets.cli.retraining.resume",
    "end a pause now",
    (MODEL,),
    examples=("mlops resume customers",),
)
REPRODUCE = Verb(
    "reproduce",
    "mlops_assets.cli.reproduction.reproduce_named",
    "train a version again from its data, code and settings, and compare its predictions",
    (takes("name", metavar="MODEL@VERSION", help="or MODEL@champion"),),
    examples=("mlops reproduce customers@champion",),
    more="Touches nothing that is live. Exit code 1 when the predictions differ.",
    facts="mlops_assets.cli.facts.records.Reproduced",
)
BACKTEST = Verb(
    "backtest",
    "mlops_assets.cli.backtest.verb.backtest",
    "what staleness cost in the past, and how often to train",
    (
        MODEL,
        takes(
            "--windows",
            type=kinds.windows,
            default=8,
            metavar="N",
            help="3 to 24, the newest; default: 8",
        ),
        takes(
            "--window",
            metavar="LENGTH",
            type=kinds.length,
            help="of each, e.g. '1 month'; default: by `training.split.test`",
        ),
    ),
    examples=("mlops backtest customers --windows 6 --window '1 month'",),
    more="Made of the rows of the asset `features` as `mlops run` left them. Registers and deploys "
    "nothing.",
    facts="mlops_assets.records.backtest.BacktestReport",
)
DEV = Verb(
    "dev",
    "mlops_assets.cli.operation.dev",
    "Dagster UI, its daemon and the MLflow UI, until Ctrl-C",
    examples=("mlops dev", "MLOPS_PORT_DAGSTER=3001 mlops dev"),
    more="Says four addresses, then which runs began and how they ended, which models changed, and "
    "what was started again; what each process says is in the state folder under `logs/`.",
)
DOCTOR = Verb(
    "doctor",
    "mlops_assets.cli.facts.doctor.doctor",
    "what of this machine and state keeps things from working, each with its remedy",
    examples=("mlops doctor", "mlops doctor --json"),
    more="Versions, permissions, disk, clock, telemetry, locks, engine, killed runs, ports. Exit "
    "code 1 if something needs a hand; mends nothing itself.",
    facts="mlops_assets.cli.facts.records.Finding[]",
)
OBSERVE = Verb(
    "observe",
    "mlops_assets.cli.operation.observe",
    "Prometheus over every endpoint of this machine, with the shipped rules, until Ctrl-C",
    examples=("mlops observe", "MLOPS_PORT_PROMETHEUS=9091 mlops observe"),
    more="Needs `prometheus` on the PATH, as Debian's package brings it. An endpoint that is "
    "deployed or stopped meanwhile is taken up within seconds; how to add Grafana's dashboards is "
    "in docs/how-to/alerts.md.",
    asks=True,
)
ENV = Verb(
    "env",
    "mlops_assets.cli.operation.env",
    "print shell exports for plain dagster commands",
    examples=('eval "$(mlops env)"',),
)
API_KEY = Verb(
    "api-key",
    "mlops_assets.cli.operation.api_key",
    "make an API key: print it once, and the digest to deploy",
    examples=("mlops api-key",),
)
BENTO = Verb(
    "bento",
    "mlops_assets.cli.operation.bento",
    "build a Bento of the deployed version, offline",
    (
        MODEL,
        takes(
            "--out",
            type=kinds.path,
            metavar="DIR",
            help="the BENTOML_HOME that gets it; default: in the state folder",
        ),
    ),
    examples=("mlops bento customers",),
)

GROUPS = (
    Group("Move the champion, hold the retraining", (ROLLBACK, PROMOTE, PAUSE, RESUME)),
    Group("Repeat a training, and the past", (REPRODUCE, BACKTEST)),
    Group("Run the place", (DEV, OBSERVE, DOCTOR, ENV, API_KEY, BENTO)),
)
