# OLD VERSION, use flask_app.py
from flask import Flask
app = Flask(__name__)

@app.route('/')
def index():
    return 'old'

if __name__ == '__main__':
    app.run()
