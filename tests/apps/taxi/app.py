import logging
import os
import pickle
import sqlite3
from datetime import datetime

from dotenv import load_dotenv
from flask import Flask, g, jsonify, render_template, request

load_dotenv()
logging.basicConfig(filename='app.log', level=logging.INFO)

app = Flask(__name__)
app.config['SECRET_KEY'] = os.environ.get('SECRET_KEY', 'dev')
DATABASE = 'taxi.db'

model = pickle.load(open('fare.pkl', 'rb'))


def get_db():
    db = getattr(g, '_database', None)
    if db is None:
        db = g._database = sqlite3.connect(DATABASE)
    return db


@app.teardown_appcontext
def close_connection(exception):
    db = getattr(g, '_database', None)
    if db is not None:
        db.close()


def init_db():
    con = sqlite3.connect(DATABASE)
    con.execute('CREATE TABLE IF NOT EXISTS trips (id INTEGER PRIMARY KEY, km REAL, fare REAL, at TEXT)')
    con.commit()
    con.close()


init_db()


@app.route('/')
def index():
    return render_template('index.html', currency=os.environ.get('CURRENCY', 'USD'))


@app.route('/fare', methods=['POST'])
def fare():
    data = request.get_json()
    value = round(float(model.predict([[data['km'], data['minutes']]])[0]), 2)
    db = get_db()
    db.execute('INSERT INTO trips (km, fare, at) VALUES (?, ?, ?)', (data['km'], value, datetime.now().isoformat()))
    db.commit()
    app.logger.info('fare %s', value)
    return jsonify({'fare': value})


@app.route('/trips')
def trips():
    rows = get_db().execute('SELECT km, fare FROM trips ORDER BY id').fetchall()
    return jsonify([{'km': km, 'fare': fare} for km, fare in rows])


if __name__ == '__main__':
    app.run(host='0.0.0.0', port=5000, debug=True)
