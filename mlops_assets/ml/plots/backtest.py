"""A backtest in pictures: loss by the age of a version, by how often and by what it is trained."""

from collections.abc import Sequence

from mlops_assets.ml.plots.style import INK, MODEL, REFERENCE, figure_and_axes, png
from mlops_assets.records.backtest import BacktestReport, LossByAge, LossByCadence, LossByPolicy


def backtest_plots(report: BacktestReport) -> dict[str, bytes]:
    """PNG of `loss_by_age`, `loss_by_cadence` and, if it was replayed, `loss_by_policy`.

    Bars are one standard error of the difference.
    """
    ages, cadences = report.ages, report.cadences
    policies = report.policy.policies if report.policy else ()
    replayed = {"loss_by_policy": _by_policy(report.loss_name, policies)} if policies else {}
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
        **replayed,
    }


def _by_policy(loss_name: str, policies: Sequence[LossByPolicy]) -> bytes:
    """A line each: what it loses, and how often it trains."""
    figure, axes = figure_and_axes()
    figure.set_size_inches(9, 1.5 + 0.35 * len(policies))
    places = range(len(policies))
    for place, each in zip(places, policies, strict=True):
        color = MODEL if each.shown else REFERENCE
        error = each.standard_error or 0.0
        axes.errorbar(each.excess, place, xerr=error, color=color, marker="o", capsize=4)
    axes.axvline(0, color=REFERENCE, zorder=1)
    axes.set_yticks(places, [f"{each.retrain}: {each.trainings}" for each in policies])
    axes.tick_params(axis="y", labelsize=7)
    axes.invert_yaxis()
    axes.set_title(f"{loss_name} by monitoring.retrain, and how often each trains", color=INK)
    axes.set_xlabel("above training at every window; blue: shown to be within the margin")
    return png(figure)


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
