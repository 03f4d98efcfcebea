"""The lines of the prediction log, as the endpoint writes them and the graph reads them.

Apart from `prediction_log`, which needs pandas: the endpoint must not.
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from mlops_assets.errors import PredictionLogError


class LogLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One line of the endpoint's log; times in UTC epoch seconds."""

    request_id: str
    row: int
    logged_at: float
    event_time: float
    source: str
    role: str
    entity: int | str | None
    features_as_of: float | None
    features: dict[str, float | str | None]
    scores: Annotated[list[float], msgspec.Meta(min_length=1)]
    model_version: int
    generation: int
    latency_seconds: float
    predicted: str | None = None
    """The class, of a multiclass model; lines of earlier releases lack it."""


@dataclass(frozen=True)
class Parsed:
    """The lines of one file."""

    lines: list[LogLine]
    torn: int


_DECODER = msgspec.json.Decoder(LogLine)


def parse(content: bytes, origin: str, first: int = 1) -> Parsed:
    """Read lines of one file, from the `first` on; what a crash cut off is counted, anywhere.

    Raises:
        PredictionLogError: A whole line lacks a field or has one of a wrong type.
    """
    lines, torn = [], 0
    for number, text in enumerate(content.split(b"\n"), start=first):
        if not text:
            continue
        try:
            lines.append(_DECODER.decode(text))
        except msgspec.ValidationError as err:
            raise PredictionLogError(
                f"{origin}, line {number}: {err}. Another version of the project wrote it; "
                "move the file away, or read it with that version."
            ) from err
        except (msgspec.DecodeError, UnicodeDecodeError):
            torn += 1
    return Parsed(lines, torn)
