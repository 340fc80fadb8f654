import os
import joblib
from flask import Flask, request, jsonify

BASE_DIR = os.path.dirname(os.path.abspath(__file__))
app = Flask(__name__)
model = joblib.load(os.path.join(BASE_DIR, 'diabetes.joblib'))

@app.route('/')
def index():
    return 'Diabetes API v2'

@app.route('/risk')
def risk():
    glucose = request.args.get('glucose', type=float)
    bmi = request.args.get('bmi', type=float)
    return jsonify(risk=int(model.predict([[glucose, bmi]])[0]))

if __name__ == '__main__':
    port = int(os.environ.get('PORT', 5000))
    app.run(host='0.0.0.0', port=port, debug=True)
