"""The verbs from a table to a live model."""

from mlops_assets.cli.parser import kinds
from mlops_assets.cli.parser.verb import MODELS, Argument, Group, Verb, takes

_CHOICES = {
    "task": ["binary", "multiclass", "regression"],
    "classes": ["yes", "no"],
    "shape": ["flat", "events"],
    "decimal": [".", ","],
    "dates": ["day-first", "month-first"],
    "suspects": ["yes", "no"],
}
_INFERRED = {
    "entity": "the column of whom a prediction is asked for, or none",
    "time": "the column of when a row was known, or none",
    "positive": "which value of the target is the positive class",
    "task": "what is predicted",
    "classes": "whether rare values of the target are classes",
    "shape": "events: the target is what comes next",
    "labels": "a second file, which holds the target of each id; default: none",
    "port": "of the endpoint; default: the next free one",
    "table": "of a database, e.g. shop.customers; default: none",
    "query": "what is asked of a database instead, e.g. 'select * from customers'; default: none",
    "sheet": "of a workbook; default: the first",
    "columns": "names for a file without a header, comma-separated",
    "missing": "texts that mean no value, or COLUMN=TEXT of one column, comma-separated",
    "encoding": "of a text file, e.g. cp1252",
    "decimal": "the decimal mark",
    "epochs": "columns of seconds since 1970, comma-separated, or none",
    "dates": "how 03/04/2020 is read",
    "drop": "columns that are no features, comma-separated",
    "keep": "columns that are, though they give the target away",
    "suspects": "whether what gives the target away is kept",
}


def _inferred(option: str, said: str) -> Argument:
    kind = kinds.encoding if option == "encoding" else str
    told = said if "default:" in said else f"{said}; default: what the table says"
    return takes(f"--{option}", help=told, choices=_CHOICES.get(option), type=kind)


INIT = Verb(
    "init",
    "mlops_assets.cli.init.verb.init",
    "look at a table and write the YAML of a model of it",
    (
        takes(
            "data",
            help="a file, folder or glob; package://PACKAGE/FILE; one file at an https:// address, "
            "or at s3://, gs://, az://, ... where s3fs, gcsfs, adlfs, ... is installed; a "
            "database, by --table or --query: sqlite:///FILE, postgresql://..., FILE.duckdb; "
            "env:NAME of a variable with such an address or URL",
        ),
        takes("--target", required=True, help="the column to predict, or of events COLUMN=VALUE"),
        takes("--name", help="of the model; default: after the file"),
        *(_inferred(option, said) for option, said in _INFERRED.items()),
        takes(
            "--yes",
            action="store_true",
            help="take what is likely; default: ask, on a terminal, and else refuse",
        ),
    ),
    examples=("mlops init sources/churn.csv --target Churn",),
    more="Exit code 2 where a person must decide: it says which option does.",
    anywhere=True,
    asks=True,
)
CHECK = Verb(
    "check",
    "mlops_assets.cli.facts.checks.check",
    "say every fault of the YAML files, a line each; runs nothing",
    (MODELS,),
    examples=("mlops check", "mlops check customers"),
    facts="mlops_assets.cli.facts.records.CheckedModel[]",
)
SCHEMA = Verb(
    "schema",
    "mlops_assets.cli.init.verb.schema",
    "write the JSON schema of YAML files for editors into the project, as after an upgrade",
    examples=("mlops schema",),
)
RUN = Verb(
    "run",
    "mlops_assets.cli.runs.verb.run",
    "bring models from their source to a live endpoint, as far as they are out of date",
    (MODELS,),
    examples=("mlops run", "mlops run customers"),
    more="Ends with one prediction of each. No model stops another.",
    facts="mlops_assets.cli.facts.records.ServedModel[]",
)
TRAIN = Verb(
    "train",
    "mlops_assets.cli.runs.verb.train",
    "the first half of `run`: up to the gate's verdict; deploys nothing",
    (
        MODELS,
        takes(
            "--report",
            type=kinds.path,
            metavar="FILE",
            help="add verdicts and model cards to it, in Markdown; default: only say the verdicts",
        ),
    ),
    examples=("mlops train customers", "mlops train --report verdicts.md"),
    more="Exit code 1 unless every version passed.",
    facts="mlops_assets.cli.verdict.Verdict[]",
)
DEPLOY = Verb(
    "deploy",
    "mlops_assets.cli.runs.verb.deploy",
    "the second half: put what `train` left live, if it passed; predict once",
    (MODELS,),
    examples=("mlops deploy customers",),
    facts="mlops_assets.cli.facts.records.ServedModel[]",
)
UP = Verb(
    "up",
    "mlops_assets.cli.endpoints.up",
    "bring endpoints back from their kept files, as after a reboot",
    (
        takes(
            "models",
            nargs="*",
            metavar="model",
            help="their names; default: all that were not stopped on purpose",
        ),
    ),
    examples=("mlops up", "mlops up customers"),
    facts="mlops_assets.cli.facts.records.BroughtUp[]",
)
STOP = Verb(
    "stop",
    "mlops_assets.cli.endpoints.stop",
    "end endpoints; they stay down until `up`, `run` or `deploy`",
    (MODELS,),
    examples=("mlops stop customers",),
    facts="mlops_assets.cli.facts.records.StoppedEndpoint[]",
)

GROUPS = (
    Group("From a table to a model", (INIT, CHECK, SCHEMA)),
    Group("From a model to an endpoint", (RUN, TRAIN, DEPLOY, UP, STOP)),
)
