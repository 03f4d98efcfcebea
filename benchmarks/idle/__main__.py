"""A daemon with nothing to do, for an hour: what it launches, and what its memory and disk do.

`dagster dev` as `make dev` starts it, over 20 models that were trained on what their source holds
and whose five newest reports are calm. Every sensor is on, at its own interval: each model is
looked at once a minute by `<model>_retraining` and twice by `<model>_endpoint_health`; three more
watch runs. Beside it, in the same hour, the same assets and jobs with sensors of the same names and
intervals that return at once: what Dagster itself takes.

Before `resources/dagster/dagster_storage.py` our code server gained 19.6 MB in the second half of
such an hour, and took 94 ms of CPU a look instead of 44 (with other work on the machine).

    python -m benchmarks.idle [MINUTES]     # default 60; writes results/idle.md and idle.png
"""

import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.idle.page import describe, draw, growth
from benchmarks.idle.watch import ROLES, Moment, Side
from benchmarks.page import place, publish, sized, small
from mlops_assets.home import HOST

MODULES = {"ours": "benchmarks.idle.models", "bare": "benchmarks.idle.bare"}
_EVERY_SECONDS = 10.0
_MOST_GROWTH_MB = 1.0
"""A process in the second half, in which 1,800 looks of a leak of 1 kB would be 1.8."""


def main() -> None:
    """Watch; write the page; require that nothing was launched and that memory came to rest."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else sized(60.0, 1.0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sides = [Side(module, Path(folder) / name, port()) for name, module in MODULES.items()]
        for side in sides:
            stack.enter_context(side.running())
        found: dict[str, list[Moment]] = {name: [] for name in MODULES}
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            time.sleep(_EVERY_SECONDS)
            for moments, side in zip(found.values(), sides, strict=True):
                if (moment := side.measure()).complete:
                    moments.append(moment)
    page = describe(found, (__doc__ or "").partition("    python -m")[0])
    publish("idle", page)
    draw(found, place("idle.png"))
    require_rest(found["ours"])


def require_rest(moments: list[Moment]) -> None:
    """Of the side that is ours.

    Raises:
        SystemExit: A run was launched, or a process grew.
    """
    if moments[-1].runs:
        raise SystemExit(f"{moments[-1].runs} runs were launched with nothing to do")
    grown = {role: growth(moments, role) for role in ROLES}
    if not small() and any(value > _MOST_GROWTH_MB for value in grown.values()):
        raise SystemExit(f"memory grows, MB in the second half: {grown}")


def port() -> int:
    """A free one."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
