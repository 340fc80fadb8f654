"""BentoML's own way to serve a model."""

import os

import bentoml
import joblib


@bentoml.service(workers=2, traffic={"timeout": 60})
class Sales:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, age: float, new_user: int, total_pages_visited: float) -> dict:
        x = [[age, new_user, total_pages_visited]]
        zero, one = self.model.predict_proba(x)[0]
        return {"prediction": int(self.model.predict(x)[0]), "probabilities": {"0": float(zero), "1": float(one)}}
