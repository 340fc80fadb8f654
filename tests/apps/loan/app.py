from flask import Flask, request, jsonify
import pickle
import pandas as pd

app = Flask(__name__)
model = pickle.load(open('loan_model.pkl', 'rb'))


@app.route('/')
def home():
    return 'Loan approval'


@app.route('/approve', methods=['GET', 'POST'])
def approve():
    if request.method == 'GET':
        return jsonify({'usage': 'POST income, amount and married'})
    df = pd.DataFrame([request.get_json()], columns=['income', 'amount', 'married'])
    return jsonify({'approved': model.predict(df)[0]})


if __name__ == '__main__':
    app.run(port=5000, debug=True)
