"""Which iris is it? A page with a form, and the same as JSON."""

import joblib
from flask import Flask, abort, render_template, request

app = Flask(__name__)
model = joblib.load("model.joblib")


def species(petal_length: float, petal_width: float) -> str:
    return str(model.predict([[petal_length, petal_width]])[0])


@app.get("/")
def index():
    asked = [request.args.get(name, type=float) for name in ("petal_length", "petal_width")]
    return render_template("index.html", answer=None if None in asked else species(*asked))


@app.post("/species")
def post_species():
    try:
        return {"species": species(float(request.json["petal_length"]), float(request.json["petal_width"]))}
    except (KeyError, TypeError, ValueError):
        abort(400, "petal_length and petal_width are numbers, in centimetres.")


if __name__ == "__main__":
    app.run(debug=True)
