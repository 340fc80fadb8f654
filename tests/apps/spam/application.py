from flask import Flask, request
import pickle

application = app = Flask(__name__)
cv = pickle.load(open('models/cv.pkl', 'rb'))
clf = pickle.load(open('models/clf.pkl', 'rb'))

@app.route('/')
def home():
    return '''<form action="/predict" method="post"><textarea name="content"></textarea><input type="submit"></form>'''

@app.route('/predict', methods=['POST'])
def predict():
    email = request.form.get('content')
    tokenized_email = cv.transform([email]) # X
    prediction = clf.predict(tokenized_email)[0]
    return 'Spam' if prediction == 1 else 'Not spam'

@app.route('/api/predict', methods=['POST'])
def api_predict():
    data = request.get_json(force=True)
    email = data['content']
    prediction = clf.predict(cv.transform([email]))[0]
    return {'prediction': int(prediction), 'email': email}

app.run(host='0.0.0.0', port=8080, debug=True)
