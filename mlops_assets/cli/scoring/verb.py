"""The verb `score`: many rows at once, by the version that serves."""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from mlops_assets.cli.context import (
    chosen_models,
    load_definitions,
    open_resources,
    say,
    say_facts,
)
from mlops_assets.components.settings import loaded_models
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ConfigError, SourceError
from mlops_assets.ml.data.sources import find_files
from mlops_assets.records.scoring import BatchSummary
from mlops_assets.runtime import terminal
from mlops_assets.runtime.interrupts import interruptible


def score(model: str, input: str | None, output: Path | None, *, as_json: bool) -> int:
    """Score a table or the snapshot, and say where the answers are."""
    from mlops_assets.scoring.batch import Batches  # other verbs do without
    from mlops_assets.scoring.table import Table

    if output is not None:
        _require_writable(output)
    definitions = load_definitions()
    chosen_models(definitions, [model])
    settings = loaded_models(definitions)[model]
    files = find_files(input) if input else []
    if output is not None:
        _require_new(output, files, "an input file")
        _require_new(output, _source_files(settings), f"a file of {model}'s source")
    roles = ("deployment", "feature_store", "predictions")
    with interruptible(), open_resources(definitions, *roles) as built:
        batches = Batches.of(settings, built.deployment, built.predictions)
        table = Table(files, settings, datetime.now(UTC)) if files else None
        source = table or batches.snapshot(built.feature_store)
        summary = batches.score(source, output, partial(_show, model))
    say_facts(summary, said(summary), as_json=as_json)
    for line in remarks(summary):
        say(line, error=True)
    return 1 if summary.exceeded else 0


def said(summary: BatchSummary) -> str:
    """What was done, in a line."""
    return (
        f"{summary.model}: version {summary.model_version} scored {summary.rows:,} rows into "
        f"{summary.output}"
    )


def remarks(summary: BatchSummary) -> list[str]:
    """What somebody should know of it besides, a line each."""
    lines = []
    if summary.quarantined:
        lines.append(
            f"{summary.model}: {summary.quarantined:,} quarantined, in {summary.quarantine}: "
            + ", ".join(f"{rule} {count:,}" for rule, count in summary.reasons.items())
        )
    if summary.exceeded:
        rows = summary.rows + summary.quarantined
        lines.append(
            f"{summary.model}: {summary.quarantined:,} of {rows:,} rows are more than "
            f"`{summary.exceeded}` allows, so the exit code is 1; correct them, or change that"
        )
    if summary.ignored:
        lines.append(f"{summary.model}: not looked at: {', '.join(summary.ignored)}")
    return lines


def _require_writable(output: Path) -> None:
    if output.is_dir():
        raise ConfigError(f"--output {output} is a folder; name a file in it, e.g. scores.parquet")
    if output.suffix != ".parquet":
        raise ConfigError(f"--output {output}: what is written is Parquet; name it *.parquet")
    if not output.parent.is_dir():
        raise ConfigError(f"--output {output}: there is no folder {output.parent}; make it")
    try:
        tempfile.TemporaryFile(dir=output.parent).close()
    except OSError as err:
        raise ConfigError(
            f"--output {output}: no file can be made in {output.parent} ({err.strerror}); name "
            "another folder"
        ) from err


def _require_new(output: Path, files: Sequence[Path], what: str) -> None:
    """Refuse to write over a file that is read, whatever it is called here."""
    from mlops_assets.scoring.files import quarantine_of

    for written in filter(Path.exists, (output, quarantine_of(output))):
        if any(file.exists() and file.samefile(written) for file in files):
            raise ConfigError(
                f"--output {output}: {written} is {what}, and would be lost; name another"
            )


def _source_files(settings: ModelSettings) -> list[Path]:
    """What the model is trained on, as far as it is files that are here."""
    if settings.source.uri is None:
        return []
    with suppress(SourceError):  # no file is there, so none can be lost
        return find_files(settings.source.uri)
    return []


def _show(model: str, rows: int) -> None:
    terminal.doing(f"{model}: {rows:,} rows scored", goes_on=True)
