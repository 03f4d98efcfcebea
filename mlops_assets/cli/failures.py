"""Why something failed, in one sentence; what nobody foresaw keeps its trace in a file."""

import hashlib
import traceback
from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from mlops_assets import errors
from mlops_assets.cli.context import say
from mlops_assets.cli.verdict import AFTER_A_REFUSAL
from mlops_assets.home import home
from mlops_assets.runtime.atomic import ensure_folder, is_full, write_atomically
from mlops_assets.runtime.interrupts import raise_interrupt

_FOLDER = "errors"
_INTERRUPTED = "DagsterExecutionInterruptedError"
_FULL_DISK = ("No space left on device", "disk is full", "Disk quota exceeded")
"""As the system and sqlite say it, through whatever library."""
_GATE = "model_passes_the_gate"
_FAILED_CHECK = "DagsterAssetCheckFailedError"


def survived(model: str, do: Callable[[], bool | None]) -> bool:
    """Whether `do` went well, so not False; an error of a model is said, and stops no other one."""
    try:
        return do() is not False
    except Exception as err:  # the last resort of a command line: a line, and nothing lost
        raise_interrupt(err)
        say(f"{model}: {said_of(err)}", error=True)
    return False


def failed_steps(events: Sequence[dg.DagsterEvent]) -> list[str]:
    """A sentence for each step of a run that failed, and for each blocking check that did."""
    return [
        f"{str(key).replace('__', '/', 1)}: {' '.join(said.split())}"
        for event in events
        if event.is_step_failure
        for key, said in _said(event, events)
    ]


def told_of(err: Exception) -> str:
    """What a command that failed says: a line, or one for each fault of a model's YAML."""
    return str(err) if isinstance(err, errors.FaultyModelError) else said_of(err)


def said_of(err: Exception) -> str:
    """An error in one line; with the file that keeps the whole trace if nobody foresaw it."""
    if isinstance(err, errors.MlopsError):
        return f"{type(err).__name__}: {' '.join(str(err).split())}"
    return _kept(type(err).__name__, str(err), "".join(traceback.format_exception(err)))


def _said(
    event: dg.DagsterEvent, events: Sequence[dg.DagsterEvent]
) -> Iterator[tuple[str | None, str]]:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        yield event.step_key, failure.user_failure_data.description
        return
    error = failure.error
    while error and error.cause and not _is_ours(error.cls_name):  # Dagster wraps what was raised
        error = error.cause
    if error is None:
        yield event.step_key, "failed without an error; its log in the Dagster UI may say why"
    elif error.cls_name == _INTERRUPTED:
        yield event.step_key, "interrupted before it was done; run again, and it goes on"
    elif error.cls_name == _FAILED_CHECK:
        yield from _failed_checks(event, events)
    elif _is_ours(error.cls_name):
        yield event.step_key, f"{error.cls_name}: {_message(error.message, error.cls_name)}"
    else:
        trace = failure.error.to_string() if failure.error else ""
        said = _message(error.message, error.cls_name)
        yield event.step_key, _kept(str(error.cls_name), said, trace)


def _is_ours(kind: str | None) -> bool:
    return isinstance(getattr(errors, str(kind), None), type)


def _failed_checks(
    event: dg.DagsterEvent, events: Sequence[dg.DagsterEvent]
) -> Iterator[tuple[str, str]]:
    for one in events:
        if one.event_type_value != "ASSET_CHECK_EVALUATION" or one.step_key != event.step_key:
            continue
        found = one.asset_check_evaluation_data
        if not found.passed and found.severity == dg.AssetCheckSeverity.ERROR:
            facts = [f"{name} {value.value}" for name, value in found.metadata.items()]
            why = found.description or ", ".join(facts)
            if found.check_name == _GATE:  # in the words of `mlops train`
                yield found.asset_key.path[0], f"{why}; {AFTER_A_REFUSAL}"
            else:
                key = found.asset_key.to_user_string()
                yield key, f"the check {found.check_name} failed: {why}"


def _message(message: str, kind: str | None) -> str:
    """Without the class, with or without its module, that Dagster puts before it."""
    head, colon, rest = message.partition(": ")
    return rest if colon and head.rpartition(".")[2] == kind else message


def _kept(kind: str, message: str, trace: str) -> str:
    """Keep the trace, unless the reason is plain enough without, or no file can be written."""
    said = f"{kind}: {' '.join(message.split())[:500]}"
    if any(full in message for full in _FULL_DISK) or is_full(home()):
        return (
            f"StateError: no space is left for {home()} ({said}). What is complete is as it was; "
            "free some space, then run again"
        )
    # By its content: whoever looks at a failed run again and again keeps one trace.
    file = home() / _FOLDER / f"{hashlib.sha256(trace.encode()).hexdigest()[:16]}.txt"
    try:
        ensure_folder(file.parent)
        if not file.exists():
            write_atomically(file, lambda path: path.write_text(trace, encoding="utf-8"))
    except errors.StateError as err:
        return f"{said}; nobody foresaw this, and its trace cannot be kept: {err}"
    return f"{said}; nobody foresaw this, the whole trace is in {file}"
