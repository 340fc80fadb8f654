"""Runs the app of a file in the current folder as its author does, and asks it through Flask's test client.

`python author.py app.py` reads the requests from stdin and writes the answers to stdout, as JSON. It runs with the
app's own libraries, and knows nothing of Flaskship.
"""

import contextlib
import json
import runpy
import sys

import flask

asked = json.load(sys.stdin)
started = []
flask.Flask.run = lambda self, *rest, **more: started.append(self)  # type: ignore[method-assign]
sys.path[0] = ""
sys.argv = sys.argv[1:]
with contextlib.redirect_stdout(sys.stderr):
    runpy.run_path(sys.argv[0], run_name="__main__")
    client = started[0].test_client()
    answers = [
        client.open(path, method=method, data=body.encode("latin-1"), headers=headers)
        for method, path, headers, body in asked
    ]
json.dump([[each.status_code, each.get_data().decode("utf-8", "replace")] for each in answers], sys.stdout)
