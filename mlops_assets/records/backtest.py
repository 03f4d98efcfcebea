"""What a backtest found: what staleness cost, what each cadence of training, and what follows."""

from typing import Any, Literal, Self

from pydantic import Field

from mlops_assets.blocks.base import Moment, Record

Advice = Literal["train regularly", "new data need not train", "not shown"]


class TestedWindow(Record):
    """A stretch of event time; at its start a version was trained, and later ones judged."""

    SHOWN = ("start", "rows", "loss", "first_loss")
    start: Moment = Field(description="Exclusive.")
    end: Moment
    rows: int = Field(description="Labelled, on which versions were judged.")
    train_rows: int = Field(description="Whose labels were known at `start`.")
    loss: float = Field(description="Of the version trained at `start`.")
    first_loss: float = Field(description="Of the first version of all.")


class LossByAge(Record):
    """Versions some windows after their training beside just trained ones, on the same rows."""

    SHOWN = ("age", "windows", "loss", "excess", "standard_error")
    age: str = Field(description="`new`, or since its training: `3 months`.")
    windows: int = Field(description="In which there is a version of that age.")
    rows: int
    loss: float
    new_loss: float = Field(description="Of the version trained at each window's start.")
    excess: float = Field(description="`loss` less `new_loss`.")
    standard_error: float | None = Field(description="Of `excess`; None: one window says nothing.")


class LossByCadence(Record):
    """All windows, as if the model had been trained once, or at the start of every nth window."""

    SHOWN = ("every", "trainings", "loss", "excess", "standard_error")
    every: str = Field(description="`never`, or e.g. `2 months`.")
    trainings: int
    loss: float
    excess: float = Field(description="Over the loss of the most frequent training.")
    standard_error: float | None = Field(description="Of `excess`.")


class LossByPolicy(Record):
    """The windows as one `monitoring.retrain` would have served them."""

    SHOWN = ("retrain", "trainings", "loss", "excess", "shown")
    retrain: str = Field(description="`as set`, or what is changed of that, as YAML.")
    trainings: int = Field(description="After the first version; at most one a window.")
    refused: int = Field(description="Of them, by the gate.")
    loss: float
    excess: float = Field(description="Over the loss of training at every window.")
    standard_error: float | None = Field(description="Of `excess`.")
    shown: bool = Field(description="To lose less than the gate's margin.")


class PolicyReport(Record):
    """The retrain policy over the history."""

    windows: int = Field(description="The newest, over which it was replayed; 0: too few.")
    policies: tuple[LossByPolicy, ...] = Field((), description="The fewest trainings first.")
    best: LossByPolicy | None = Field(None, description="The first that is shown to be enough.")
    said: str
    yaml: str = Field("", description="The change that makes it so; empty: nothing to change.")


class BacktestReport(Record):
    """A backtest of one model."""

    model: str
    estimator: str
    loss_name: str
    window: str = Field(description="Length of each, in calendar units.")
    windows: tuple[TestedWindow, ...]
    ages: tuple[LossByAge, ...]
    cadences: tuple[LossByCadence, ...] = Field(description="The rarest first.")
    policy: PolicyReport | None = Field(None, description="None: of an earlier release.")
    advice: Advice
    said: str = Field(description="What is shown, and what is not, with its figures.")
    yaml: str = Field(description="Lines to take over; empty: nothing is shown.")

    def with_short_losses(self) -> Self:
        """The same with six digits of each figure, as a page has room for them."""
        return type(self).model_validate(_six_digits(self.model_dump()))


def _six_digits(value: Any) -> Any:
    """A value, and what is in it, with the floats rounded."""
    if isinstance(value, dict):
        return {name: _six_digits(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(_six_digits, value))
    return float(f"{value:.6g}") if isinstance(value, float) else value
