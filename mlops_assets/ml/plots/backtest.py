"""A backtest as two pictures: loss by the age of a version, and by how often it is trained."""

from collections.abc import Sequence

from mlops_assets.ml.plots.style import INK, MODEL, REFERENCE, figure_and_axes, png
from mlops_assets.records.backtest import BacktestReport, LossByAge, LossByCadence


def backtest_plots(report: BacktestReport) -> dict[str, bytes]:
    """`loss_by_age` and `loss_by_cadence` as PNG; bars are one standard error of the difference."""
    ages, cadences = report.ages, report.cadences
    return {
        "loss_by_age": _drawn(
            ages,
            [each.age for each in ages],
            title=f"{report.loss_name} by age of the version",
            ylabel="above a version just trained",
        ),
        "loss_by_cadence": _drawn(
            cadences,
            [each.every for each in cadences],
            title=f"{report.loss_name} by time between trainings",
            ylabel=f"above training every {cadences[-1].every}",
        ),
    }


def _drawn(
    points: Sequence[LossByAge] | Sequence[LossByCadence],
    names: list[str],
    *,
    title: str,
    ylabel: str,
) -> bytes:
    figure, axes = figure_and_axes()
    axes.errorbar(
        range(len(points)),
        [each.excess for each in points],
        yerr=[each.standard_error or 0.0 for each in points],
        color=MODEL,
        marker="o",
        capsize=4,
    )
    axes.axhline(0, color=REFERENCE, zorder=1)
    axes.set_xticks(range(len(points)), names)
    axes.set_title(title, color=INK)
    axes.set_ylabel(ylabel)
    figure.autofmt_xdate()
    return png(figure)
