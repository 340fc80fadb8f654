"""Granian and ONNX Runtime by hand: what the machine gives at best to one who writes it for this model alone."""

import os

import msgspec
import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
outputs = [each.name for each in session.get_outputs()]
headers = [("content-type", "application/json")]


class Row(msgspec.Struct):
    age: float
    new_user: float
    total_pages_visited: float


decode = msgspec.json.Decoder(Row).decode
encode = msgspec.json.Encoder().encode


def app(environ, start_response):
    row = decode(environ["wsgi.input"].read())
    x = np.array([[row.age, row.new_user, row.total_pages_visited]])
    labels, probabilities = session.run(outputs, {name: x})
    zero, one = probabilities[0].tolist()
    body = encode({"prediction": int(labels[0]), "probabilities": {"0": zero, "1": one}})
    start_response("200 OK", headers)
    return [body]
