"""ONNX graphs: what a file says of itself (`graph`), how a graph runs (`model`), whose it is (`loader`)."""

import os

# Read when ONNX Runtime is loaded, which otherwise reports each session to Microsoft. Who wants that sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
