"""The verb `doctor`: what of this machine and state keeps `mlops` from working, each with a remedy.

It starts, ends and mends nothing. Whether each endpoint serves its champion is `mlops status`, and
what is wrong with a YAML `mlops check`.
"""

import fcntl
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import distributions, requires, version
from pathlib import Path

import dagster as dg
import yaml

from mlops_assets.cli.context import exit_code, load_definitions, open_resources, say_facts
from mlops_assets.cli.facts.checks import look_at_source, sound_models
from mlops_assets.cli.facts.records import Finding
from mlops_assets.components.settings import loaded_models
from mlops_assets.errors import MlopsError
from mlops_assets.home import FRAMEWORK_ROOT, HOST, INTERFACE_PORTS, bucket, home
from mlops_assets.runtime.surroundings import chosen_umask
from mlops_assets.runtime.telemetry import SWITCHES
from resources.bucket.objects import reached

_LITTLE, _GIGABYTE = 2.0, 1e9
_CLOCK_SECONDS = 2.0
_OLDEST_PYTHON = (3, 11)


def doctor(*, as_json: bool) -> int:
    """Print every finding; exit code 1 if one of them needs a hand."""
    definitions = load_definitions()
    found = [
        *versions(),
        *permissions(home()),
        *disk(home()),
        *clock(home()),
        *telemetry(os.environ.get("DAGSTER_HOME", "")),
        *locks(home()),
        *files_elsewhere(),
        *engines(home()),
        *runs(),
        *ports(definitions),
        *sources(),
    ]
    say_facts(found, "\n".join(map(_line, found)), as_json=as_json)
    return exit_code(definitions, [], good=all(one.good for one in found))


def versions() -> Iterator[Finding]:
    """Python, and the packages beside those of the lock."""
    running = ".".join(map(str, sys.version_info[:3]))
    said = f"mlops-assets {version('mlops-assets')} on Python {running}, {FRAMEWORK_ROOT}"
    yield _found("versions", sys.version_info >= _OLDEST_PYTHON, said, "use Python 3.11 or newer")
    lock = FRAMEWORK_ROOT / "requirements.lock"
    if not lock.exists():  # installed from a wheel
        yield from _unmet()
        return
    from mlops_assets.ml.training.reproduction import moved_packages

    installed = {each.name: each.version for each in distributions()}
    moved = moved_packages(lock.read_text(encoding="utf-8"), installed)
    others = [f"{name} {now} (locked {pin})" for name, (pin, now) in moved.items()]
    said = f"not as locked: {', '.join(others)}" if others else "every package is as locked"
    yield _found("versions", not others, said, "make install")


def _unmet() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError

    missing = []
    for wanted in requires("mlops-assets") or ():
        name = wanted.partition(";")[0].split("[")[0].rstrip("=<>!~0123456789., ")
        if "extra ==" in wanted:
            continue
        with suppress(PackageNotFoundError):
            version(name)
            continue
        missing.append(name)
    said = f"missing: {', '.join(missing)}" if missing else "every required package is installed"
    yield _found("versions", not missing, said, "pip install --force-reinstall mlops-assets")


def permissions(state: Path) -> Iterator[Finding]:
    """Of the state folder: written by this user, and read by nobody else unless asked for."""
    try:
        with tempfile.TemporaryFile(dir=state):
            pass
        yield Finding(about="permissions", good=True, said=f"{state} can be written")
    except OSError as err:
        said = f"{state} cannot be written: {err.strerror}"
        remedy = "give it to this user (chown -R), or name another folder by MLOPS_HOME"
        yield Finding(about="permissions", good=False, said=said, remedy=remedy)
    foreign = sorted(p.name for p in state.iterdir() if p.lstat().st_uid != os.getuid())
    if foreign:
        said = f"{state} holds what another user owns: {', '.join(foreign)}"
        remedy = f"chown -R {os.getuid()} {state}, and run as one user"
        yield Finding(about="permissions", good=False, said=said, remedy=remedy)
    mode, allowed = state.stat().st_mode & 0o777, 0o777 & ~chosen_umask()
    yield _found(
        "permissions",
        not mode & ~allowed,
        f"{state} has mode {mode:o}",
        f"chmod {mode & allowed:o} {state}, or allow it by MLOPS_UMASK",
    )


def disk(state: Path) -> Iterator[Finding]:
    """Space for a few trainings."""
    free = shutil.disk_usage(state).free / _GIGABYTE
    remedy = "free some space, or move the state folder and name it by MLOPS_HOME"
    yield _found("disk", free >= _LITTLE, f"{free:.1f} GB are free for {state}", remedy)


def clock(state: Path) -> Iterator[Finding]:
    """Whether the disk's clock is ours, and no file was written in the future."""
    with tempfile.NamedTemporaryFile(dir=state) as file:
        apart = Path(file.name).stat().st_mtime - time.time()
    said = f"the clock of the disk is {abs(apart):.1f} s from this machine's"
    yield _found("clock", abs(apart) <= _CLOCK_SECONDS, said, "synchronize both by NTP")
    ledger = state / "ledger.db"
    ahead = ledger.stat().st_mtime - time.time() if ledger.exists() else 0.0
    if ahead > _CLOCK_SECONDS:
        said = f"the ledger was written {ahead:.0f} s in the future of this clock"
        yield Finding(about="clock", good=False, said=said, remedy="set the clock, e.g. by NTP")


def telemetry(dagster_home: str) -> Iterator[Finding]:
    """Whether every library that reports its use is told not to."""
    wrong = [name for name, value in SWITCHES.items() if os.environ.get(name) != value]
    said = f"not off: {', '.join(wrong)}" if wrong else f"off by {', '.join(SWITCHES)}"
    yield _found("telemetry", not wrong, said, "leave these variables to mlops")
    file = Path(dagster_home, "dagster.yaml")
    settings = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    off = (settings or {}).get("telemetry", {}).get("enabled") is False
    said = f"Dagster's is {'off' if off else 'on'} by {file}"
    yield _found("telemetry", off, said, f"write `telemetry: {{enabled: false}}` into {file}")


def locks(state: Path) -> Iterator[Finding]:
    """Which locks are held now; the kernel frees those of a process that died."""
    files = [state / "run.lock", *(state / "locks").glob("*.lock")]
    held = [file.stem for file in files if file.exists() and _is_held(file)]
    said = f"held by commands that run: {', '.join(held)}" if held else "none is held"
    yield Finding(about="locks", good=True, said=said)


def _is_held(file: Path) -> bool:
    with file.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def files_elsewhere() -> Iterator[Finding]:
    """Whether the bucket, if one is named, answers who asks."""
    if not (address := bucket()):
        return
    try:
        with reached(address):
            yield Finding(about="bucket", good=True, said=f"{address} answers")
    except MlopsError as err:
        said, _, remedy = str(err).rpartition("; ")
        yield Finding(about="bucket", good=False, said=said, remedy=remedy)


def engines(state: Path) -> Iterator[Finding]:
    """Whether what computes features can be asked, if `MLOPS_ENGINE` names it."""
    from mlops_assets.engines.choice import chosen_engine
    from mlops_assets.engines.postgres import PostgresEngine
    from mlops_assets.engines.spark import SparkEngine

    if not (address := os.environ.get("MLOPS_ENGINE")):
        return
    try:
        engine = chosen_engine(address, 0, state)
        if isinstance(engine, PostgresEngine | SparkEngine):
            engine.require_answer()
        yield Finding(about="engine", good=True, said=f"{engine.name} can be asked")
    except MlopsError as err:
        said, _, remedy = str(err).rpartition("; ")
        yield Finding(about="engine", good=False, said=said, remedy=remedy)


def runs() -> Iterator[Finding]:
    """Runs that Dagster takes for alive though their process is gone."""
    from resources.tracking.outcome import dead_runs

    with dg.DagsterInstance.get() as instance:
        dead = [f"{run.run_id[:8]} of {run.job_name}" for run in dead_runs(instance)]
    said = f"killed and not ended yet: {', '.join(dead)}" if dead else "none was left by a kill"
    yield _found("runs", not dead, said, "the next `mlops run` ends them, as `mlops dev` does")


def ports(definitions: dg.Definitions) -> Iterator[Finding]:
    """Of each model's endpoint and of the user interfaces: free, or ours."""
    with open_resources(definitions, "deployment") as built:
        for settings in loaded_models(definitions).values():
            name, port = settings.name, settings.deployment.port
            try:
                served = built.deployment.status(name)
            except MlopsError as err:
                yield Finding(about="ports", good=False, said=f"{name}: {err}")
                continue
            if settings.deployment.target != "local":
                continue
            ours = served is not None and served.url.endswith(f":{port}")
            remedy = "end what listens there, or set another `deployment.port` in the YAML"
            yield _port(f"for the endpoint of {name}", port, remedy, ours=ours)
    for variable, default in INTERFACE_PORTS.items():
        said = f"for `mlops dev` by {variable}"
        port = os.environ.get(variable, str(default))
        if port.isdecimal():
            yield _port(
                said, int(port), f"taken, unless it is `mlops dev`: set {variable}", ours=None
            )
        else:
            yield Finding(about="ports", good=False, said=f"{variable}={port!r} is no port")


def _port(whose: str, port: int, remedy: str, *, ours: bool | None) -> Finding:
    """`ours`: we listen there; None: we cannot know."""
    with socket.socket() as probe:
        taken = probe.connect_ex((HOST, port)) == 0
    if not taken:
        return Finding(about="ports", good=True, said=f"{port}, {whose}, is free")
    if ours is None:
        return Finding(about="ports", good=True, said=f"{port}, {whose}, is in use", remedy=remedy)
    said = f"{port}, {whose}, is {'ours' if ours else 'taken by another program'}"
    return _found("ports", ours, said, remedy)


def sources() -> Iterator[Finding]:
    """Of each sound model: whether its files are here, or its database answers and has the rows."""
    for name, model in sound_models().items():
        looked = look_at_source(model)
        missing = [*looked.faults, *looked.notes]
        for fault in missing:
            said, _, remedy = str(fault).rpartition("; ")
            yield Finding(about="sources", good=False, said=f"{name}: {said}", remedy=remedy)
        if not missing:
            yield Finding(about="sources", good=True, said=f"{name}: what it reads is there")


def _found(about: str, good: bool, said: str, remedy: str) -> Finding:
    return Finding(about=about, good=good, said=said, remedy="" if good else remedy)


def _line(one: Finding) -> str:
    mark = "ok  " if one.good else "BAD "
    return f"{mark}{one.about:12}{one.said}{f'; {one.remedy}' if one.remedy else ''}"
