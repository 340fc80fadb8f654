# USAGE
# Start the server:
#   python run_keras_server.py
# Submit a request via cURL:
#   curl -X POST -d '{"pixels": [...]}' 'http://localhost:5000/predict'

import flask
import joblib
import numpy as np

# initialize our Flask application and the model
app = flask.Flask(__name__)
model = None


def load_model():
    # load the model from disk (it is a global, so that it is loaded once)
    global model
    model = joblib.load("digits.joblib")


@app.route("/predict", methods=["POST"])
def predict():
    data = {"success": False}

    if flask.request.method == "POST":
        content = flask.request.get_json(force=True)
        if content.get("pixels") and model is not None:
            preds = model.predict(np.array([content["pixels"]]))
            data["prediction"] = int(preds[0])
            data["success"] = True

    return flask.jsonify(data)


# if this is the main thread of execution first load the model and
# then start the server
if __name__ == "__main__":
    print(("* Loading model and Flask starting server..."
        "please wait until server has fully started"))
    load_model()
    app.run()
