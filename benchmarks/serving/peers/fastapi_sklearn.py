"""FastAPI and scikit-learn on a DataFrame, as tutorials have it."""

import os

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["PEER_MODEL"])


class Flight(BaseModel):
    """The features of one flight."""

    carrier: str
    origin: str
    dest: str
    distance: float
    weekday: float
    departure_minute: float
    temp: float
    dewp: float
    humid: float
    wind_dir: float
    wind_speed: float
    precip: float
    pressure: float
    visib: float


class Request(BaseModel):
    """Rows to predict."""

    rows: list[Flight]


class Answer(BaseModel):
    """Probabilities in the order of the rows."""

    predictions: list[float]


@app.post("/predict")
def predict(request: Request) -> Answer:
    """The probability that each flight is late."""
    frame = pd.DataFrame([row.model_dump() for row in request.rows])
    return Answer(predictions=model.predict_proba(frame)[:, 1].tolist())
