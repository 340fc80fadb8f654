from flask import Flask, jsonify, request
from tensorflow.keras.models import load_model
import numpy as np

app = Flask(__name__)
model = load_model('model.keras')


@app.route('/predict', methods=['POST'])
def predict():
    return jsonify(model.predict(np.array([request.get_json()])).tolist())


if __name__ == '__main__':
    app.run(debug=True)
