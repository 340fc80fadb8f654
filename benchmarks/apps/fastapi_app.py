"""FastAPI and scikit-learn, as tutorials have it."""

import os

import joblib
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["MODEL"])


class Row(BaseModel):
    age: float
    new_user: int
    total_pages_visited: float


@app.post("/predict")
async def predict(row: Row):
    x = [[row.age, row.new_user, row.total_pages_visited]]
    zero, one = model.predict_proba(x)[0]
    return {"prediction": int(model.predict(x)[0]), "probabilities": {"0": float(zero), "1": float(one)}}
