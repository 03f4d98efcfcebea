"""Write docs/reference/assets.md from the definitions of a model; held by a test."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import dagster as dg

TARGET = Path(__file__).with_name("reference") / "assets.md"
MODEL = "customers"
_HEADER = """\
# Assets, checks, jobs and sensors

What a model brings to Dagster; `MODEL` stands for its name. The assets' keys are `MODEL/NAME`, in
the group `MODEL`, `backtest` in the group `Backtests`.

Written by `docs/assets_reference.py`.
"""


def page() -> str:
    """The whole page as Markdown."""
    from mlops_assets.definitions import defs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        repository = defs().get_repository_def()
    specs = [
        spec
        for assets in repository.assets_defs_by_key.values()
        for spec in assets.specs
        if _is_shown(spec.key.path[0])
    ]
    unique = {spec.key: spec for spec in specs}
    return "\n".join(
        [
            _HEADER,
            *("## Assets", "", *_assets(list(unique.values())), ""),
            *("## Checks", "", *_checks(repository), ""),
            *("## Jobs", "", *_named(("job", "what it does"), repository.get_all_jobs()), ""),
            *("## Sensors", "", *_named(("sensor", "what it does"), repository.sensor_defs), ""),
            *("## Schedules", "", *_schedules(repository), ""),
        ]
    )


def _assets(specs: Sequence[dg.AssetSpec]) -> list[str]:
    """In the order in which they are made."""
    left, done = {spec.key: spec for spec in specs}, list[dg.AssetSpec]()
    while left:
        ready = [one for one in left.values() if not left.keys() & {d.asset_key for d in one.deps}]
        done += sorted(ready, key=lambda one: one.key)
        left = {key: one for key, one in left.items() if one not in done}
    rows = [
        (
            f"`{one.key.path[-1]}`",
            ", ".join(sorted(one.kinds)),
            ", ".join(f"`{name}`" for name in sorted({d.asset_key.path[-1] for d in one.deps})),
            one.description or "",
        )
        for one in done
    ]
    return table(("asset", "kinds", "made from", "what it is"), rows)


def _checks(repository: dg.RepositoryDefinition) -> list[str]:
    keyed = repository.asset_checks_defs_by_key
    specs = {
        **{key: checks.get_spec_for_check_key(key) for key, checks in keyed.items()},
        **{
            spec.key: spec
            for assets in repository.assets_defs_by_key.values()
            for spec in assets.check_specs
        },
    }
    rows = [
        (
            f"`{spec.name}`",
            f"`{spec.asset_key.path[-1]}`",
            "yes" if spec.blocking else "",
            spec.description or "",
        )
        for spec in sorted(specs.values(), key=lambda one: (one.asset_key, one.name))
        if _is_shown(spec.asset_key.path[0])
    ]
    return table(("check", "of", "stops what follows", "it holds when"), rows)


def _named(
    head: tuple[str, str], found: Iterable[dg.JobDefinition | dg.SensorDefinition]
) -> list[str]:
    """Those of the model and those of all models."""
    rows = [
        (f"`{_general(one.name)}`", _general(one.description or ""))
        for one in sorted(found, key=lambda one: one.name)
        if _is_shown(one.name)
    ]
    return table(head, rows)


def _schedules(repository: dg.RepositoryDefinition) -> list[str]:
    rows = [
        (f"`{_general(one.name)}`", f"`{_general(one.job_name)}`")
        for one in sorted(repository.schedule_defs, key=lambda one: one.name)
        if _is_shown(one.name)
    ]
    return [
        *table(("schedule", "job"), rows),
        "",
        "By `schedule.train` and `schedule.monitor`; `schedule.score` brings "
        "`MODEL_scoring_schedule` in the same way.",
    ]


def _is_shown(name: str) -> bool:
    return not name.startswith(("__", "flights"))


def _general(text: str) -> str:
    return text.replace(MODEL, "MODEL")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
