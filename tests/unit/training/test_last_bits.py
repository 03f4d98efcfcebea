"""Scores of two runtimes: the same model rounds the last bits otherwise, and that is no drift."""

import numpy as np
import pandas as pd

from mlops_assets.ml.monitoring.drift import distance
from mlops_assets.ml.monitoring.profiles import count, profile, profile_reference


def test_scores_that_differ_in_the_last_bits_are_counted_alike():
    """Trees give few scores, so many rows have the very score that an edge or a point is."""
    rng = np.random.default_rng(0)
    leaves = np.sort(rng.uniform(size=60))
    scores = pd.Series(rng.choice(leaves, 3000, p=rng.dirichlet(np.ones(60) / 3)))
    bins = profile_reference(pd.DataFrame({"prediction": scores}), {}).columns["prediction"].bins
    assert bins.points
    assert np.isin(bins.edges, leaves).any()

    for direction in (0, 1):
        served = pd.Series(np.nextafter(scores, direction))
        assert count(served, bins).counts == count(scores, bins).counts
        reference, live = (
            profile(pd.DataFrame({"prediction": values}), {"prediction": bins})
            for values in (scores, served)
        )
        found = distance(reference.columns["prediction"], live.columns["prediction"])
        assert found.psi == 0
