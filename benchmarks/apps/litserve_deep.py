"""LitServe's own way to serve a network, in batches."""

import os

import litserve
from network import KINDS


class Network(litserve.LitAPI):
    def setup(self, device):
        self.network = KINDS[os.environ["KIND"]]()

    def decode_request(self, request):
        return request["row"]

    def batch(self, inputs):
        return inputs

    def predict(self, rows):
        return self.network(rows)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"y": output}


if __name__ == "__main__":
    server = litserve.LitServer(
        Network(max_batch_size=64, batch_timeout=float(os.environ["WAIT"])),
        accelerator="cpu",
        workers_per_device=int(os.environ["WORKERS"]),
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=int(os.environ["SERVERS"]),
        generate_client_file=False,
        log_level="error",
    )
