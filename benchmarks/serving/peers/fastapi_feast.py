"""FastAPI, features by `get_online_features().to_df()`, scikit-learn on that DataFrame."""

import json
import os

import joblib
from fastapi import FastAPI
from pydantic import BaseModel

from mlops_assets.serving.online.feast import open_feast

app = FastAPI()
model = joblib.load(os.environ["PEER_MODEL"])
names = json.loads(os.environ["PEER_FEATURES"])
store = open_feast(json.loads(os.environ["PEER_STORE"]))
references = [f"flights:{name}" for name in names]


class Request(BaseModel):
    """Flights to predict."""

    entities: list[str]


class Answer(BaseModel):
    """Probabilities in the order of the flights."""

    predictions: list[float]


@app.post("/predict")
def predict(request: Request) -> Answer:
    """The probability that each flight is late."""
    entities = [{"flight_id": entity} for entity in request.entities]
    frame = store.get_online_features(features=references, entity_rows=entities).to_df()
    return Answer(predictions=model.predict_proba(frame[names])[:, 1].tolist())
