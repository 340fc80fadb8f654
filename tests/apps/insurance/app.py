from flask import Flask, render_template, request
import joblib
import numpy as np

app = Flask(__name__)

# load the model
model = joblib.load("model.joblib")
print("Model loaded!")


@app.route('/')
def home():
    return render_template('index.html')


@app.route('/predict', methods=['POST'])
def predict():
    features = [float(x) for x in request.form.values()]
    final = [np.array(features)]
    print(final)
    prediction = model.predict(final)
    output = round(prediction[0], 2)
    return render_template('index.html', prediction_text='Your premium should be $ {}'.format(output))


if __name__ == "__main__":
    app.run(debug=True)
