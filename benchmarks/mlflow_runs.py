"""What MLflow says after each way a Dagster run can end: our resource beside dagster-mlflow's own.

    python -m benchmarks.mlflow_runs     # two minutes; writes results/mlflow_runs.md

dagster-mlflow runs at its best: every job has its hook `end_mlflow_on_run_finished`, which an
ad-hoc materialization never has.
"""

import tempfile
from pathlib import Path

from benchmarks.page import publish, sized
from tests.support.runs.tracked_table import (
    EXECUTORS,
    ONE_RUN,
    Ended,
    Table,
    expected_of,
    make_table,
)

_RESOURCES = sized(
    {"ours": "dagster/run_id", "dagster_mlflow": "dagster_run_id"}, {"ours": "dagster/run_id"}
)
_HEADING = """# MLflow runs after each ending of a Dagster run

The same code location and the same runs, once through
`resources.tracking`, once through dagster-mlflow's `mlflow_tracking` with its job hook. The table
of the first is a test, `tests/e2e/tracking/test_mlflow_runs.py`. **Bold** is wrong: the MLflow runs
that carry the id of the Dagster run are not one, or have another status or other metrics than
expected.

One process makes all runs of a column, as a notebook or a test does. In process, dagster-mlflow
then logs every run into its first MLflow run; a process for each run, which avoids that, is not
measured here. Across processes, two steps that start at once open two runs.
"""


def main() -> None:
    """Make every run, and write the table."""
    tables = {}
    for through, id_tag in _RESOURCES.items():
        with tempfile.TemporaryDirectory() as folder:
            tables[through] = make_table(Path(folder), through, id_tag)
    columns = [(through, executor) for through in _RESOURCES for executor in EXECUTORS]
    lines = [
        f"| ending | expected | {' | '.join(f'{t}, {e}' for t, e in columns)} |",
        "|" + " --- |" * (2 + len(columns)),
    ]
    wrong = dict.fromkeys(_RESOURCES, 0)
    for job in (*ONE_RUN, "backfill"):
        cells = [_cell(tables[through], executor, job) for through, executor in columns]
        for (through, _), cell in zip(columns, cells, strict=True):
            wrong[through] += cell.startswith("**")
        expected = ONE_RUN[job].status if job in ONE_RUN else "9 FINISHED, 1 FAILED"
        lines.append(f"| {job.replace('_', ' ')} | {expected} | {' | '.join(cells)} |")
    cells_of_each = len(EXECUTORS) * (len(ONE_RUN) + 1)
    said = ", ".join(f"{through} {count}" for through, count in wrong.items())
    table = "\n".join(lines)
    publish("mlflow_runs", f"{_HEADING}\n{table}\n\nWrong cells of {cells_of_each}: {said}.")


def _cell(table: Table, executor: str, job: str) -> str:
    runs = table[executor, job]
    bad = [run for run in runs if not _right(run)]
    if job == "backfill":
        return f"**{len(bad)} of 10 wrong: {_said(bad[0])}**" if bad else "10 of 10"
    (run,) = runs
    return f"**{_said(run)}**" if bad else _said(run)


def _right(run: Ended) -> bool:
    expected = expected_of(run.dagster.job_name, run.partition)
    return [(r.info.status, r.data.metrics) for r in run.mlflow] == [
        (expected.status, expected.metrics)
    ]


def _said(run: Ended) -> str:
    if not run.mlflow:
        return "none"
    expected = expected_of(run.dagster.job_name, run.partition)
    said = []
    for logged in run.mlflow:
        foreign = sorted(set(logged.data.metrics) - set(expected.metrics))
        lost = sorted(set(expected.metrics) - set(logged.data.metrics))
        notes = [f"with {', '.join(foreign)} of others"] * bool(foreign) + [
            "without its metrics"
        ] * bool(lost)
        said.append(" ".join([logged.info.status, *notes]))
    return " and ".join(said)


if __name__ == "__main__":
    main()
