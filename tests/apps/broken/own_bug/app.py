from flask import Flask

app = Flask(__name__)
labels = {'0': 'cat', '1': 'dog'}
default = labels[0]


@app.route('/')
def home():
    return default


if __name__ == '__main__':
    app.run()
