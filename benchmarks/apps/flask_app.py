"""Flask and scikit-learn, as tutorials have it."""

import os

import joblib
from flask import Flask, jsonify, request

app = Flask(__name__)
model = joblib.load(os.environ["MODEL"])


@app.post("/predict")
def predict():
    row = request.get_json()
    x = [[row["age"], row["new_user"], row["total_pages_visited"]]]
    zero, one = model.predict_proba(x)[0]
    return jsonify(prediction=int(model.predict(x)[0]), probabilities={"0": float(zero), "1": float(one)})
