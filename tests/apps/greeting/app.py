import os
import socket

from flask import Flask

app = Flask(__name__)

THRESHOLD = float(os.environ.get("THRESHOLD", "0.5"))


@app.route("/")
def hello():
    html = "<h3>Hello {name}!</h3>" \
           "<b>Stage:</b> {stage}<br/>" \
           "<b>Threshold:</b> {threshold}<br/>" \
           "<b>Token:</b> {token}<br/>" \
           "<b>Hostname:</b> {hostname}"
    return html.format(
        name=os.getenv("NAME", "world"),
        stage=os.environ.get("STAGE", "dev"),
        threshold=THRESHOLD,
        token="set" if os.getenv("API_TOKEN") else "missing",
        hostname=socket.gethostname(),
    )


@app.route("/score/<float:value>")
def score(value):
    return {"positive": value >= THRESHOLD}


if __name__ == "__main__":
    app.run(host='0.0.0.0', port=80)
