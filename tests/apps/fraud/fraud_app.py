from flask import Flask, jsonify, request
import joblib
from features import make_features

app = Flask(__name__)
model = joblib.load('fraud.joblib')


@app.route('/check', methods=['POST'])
def check():
    tx = request.get_json(force=True)
    score = model.decision_function([make_features(tx)])[0]
    return jsonify({'fraud': bool(score < 0), 'score': round(float(score), 6)})


if __name__ == '__main__':
    app.run('0.0.0.0', 5000, debug=True)
