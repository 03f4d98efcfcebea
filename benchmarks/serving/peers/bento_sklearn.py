"""A BentoML service with a typed DataFrame as input, every setting at its default."""

import json
import os
from typing import Annotated

import bentoml
import joblib
import numpy as np
import pandas as pd
from bentoml.validators import DataframeSchema

NAMES = json.loads(os.environ["PEER_FEATURES"])


@bentoml.service
class Flights:
    """The probability that a flight is late."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["PEER_MODEL"])

    @bentoml.api
    def predict(
        self, rows: Annotated[pd.DataFrame, DataframeSchema(orient="records", columns=NAMES)]
    ) -> np.ndarray:
        """One probability per row."""
        return self.model.predict_proba(rows)[:, 1]
