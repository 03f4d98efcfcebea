"""Lines of a prediction log: of any ids, names and moments, with and without an entity."""

import numpy as np
from hypothesis import strategies as st

from mlops_assets.ml.inference.log_lines import LogLine
from tests.worlds.values.ids import KINDS, ids
from tests.worlds.values.names import names

_REFUSED = {"event_timestamp", "prediction"}
"""No feature is called so: `ModelSettings` refuses it."""
_MOMENTS = st.floats(-1e9, 4e9).map(lambda seconds: round(seconds, 6))


@st.composite
def logged(draw: st.DrawFn) -> list[LogLine]:
    """Lines of one model; some of rows that were sent with their features, without an id."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    known = ids(draw(st.sampled_from(KINDS)), 8, rng)
    number, text = draw(names(2).filter(_REFUSED.isdisjoint))
    scores = draw(st.sampled_from(([0.25], [0.2, 0.8])))
    values = st.none() | st.floats(allow_nan=False, allow_infinity=False)
    lines = []
    for place in range(draw(st.integers(1, 8))):
        entity = draw(st.none() | st.sampled_from(known))
        moment = draw(_MOMENTS)
        lines.append(
            LogLine(
                request_id=f"request-{place // 2}",
                row=place,
                logged_at=moment,
                event_time=moment,
                source="request" if entity is None else "online",
                role="primary",
                entity=entity,
                features_as_of=None if entity is None else draw(_MOMENTS),
                features={number: draw(values), text: draw(st.none() | st.just("x"))},
                scores=scores,
                model_version=draw(st.integers(1, 3)),
                generation=1,
                latency_seconds=0.001,
            )
        )
    return lines
