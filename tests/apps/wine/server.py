import pickle

from flask import Flask, request, jsonify

app = Flask(__name__)

model = pickle.load(open("wine_model.pkl", "rb"))
print(type(model))


@app.route("/", methods=["GET"])
def index():
    return "Wine quality API. POST to /quality"


@app.route("/quality", methods=["POST"])
def quality():
    body = request.get_json()
    row = [[body["acidity"], body["sugar"], body["alcohol"]]]
    return jsonify(quality=int(model.predict(row)[0]), proba=model.predict_proba(row)[0].round(4).tolist())


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000)
