from flask import Flask, jsonify, request
import pickle

app = Flask(__name__)
model = pickle.load(open('models/random_forest.pkl', 'rb'))


@app.route('/predict', methods=['POST'])
def predict():
    return jsonify(int(model.predict([request.get_json()])[0]))


if __name__ == '__main__':
    app.run(debug=True)
