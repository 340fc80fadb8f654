"""ONNX graphs: what a file says of itself (`protobuf`, `graph`), how a graph runs (`model`), whose it is (`loader`)."""
