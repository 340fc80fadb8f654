#!/usr/bin/env python
# coding: utf-8
import pickle
import traceback

import numpy as np
from flask import Flask, jsonify, request
from flask_cors import CORS
from sklearn.preprocessing import StandardScaler

api = Flask(__name__)
CORS(api)

clf = pickle.load(open('iris.pickle', 'rb'))
scaler = pickle.load(open('scaler.pickle', 'rb'))
assert isinstance(scaler, StandardScaler)
species = ['setosa', 'versicolor', 'virginica']


@api.route('/iris', methods=['POST'])
def iris():
    try:
        json_ = request.json
        query = np.array([[r['sepal_length'], r['sepal_width'], r['petal_length'], r['petal_width']] for r in json_])
        prediction = clf.predict(scaler.transform(query))
        return jsonify({'prediction': [species[i] for i in prediction]})
    except Exception:
        return jsonify({'trace': traceback.format_exc()})


if __name__ == '__main__':
    api.run(port=12345, debug=True)
