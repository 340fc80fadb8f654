import pickle

import pandas as pd
from flask import Blueprint, jsonify, request

predictions = Blueprint('predictions', __name__)

with open('model/churn.pkl', 'rb') as f:
    model = pickle.load(f)

COLUMNS = ['tenure', 'monthly', 'calls']


@predictions.route('/predict', methods=['POST'])
def predict():
    data = request.get_json()
    try:
        df = pd.DataFrame([data])[COLUMNS]
    except KeyError as e:
        return jsonify({'error': f'Missing column {e}'}), 400
    proba = model.predict_proba(df)[0][1]
    return jsonify({'churn': bool(proba > 0.5), 'probability': float(round(proba, 4))})
