"""LitServe's own way to serve a model."""

import os

import joblib
import litserve


class Sales(litserve.LitAPI):
    def setup(self, device):
        self.model = joblib.load(os.environ["MODEL"])

    def decode_request(self, request):
        return [[request["age"], request["new_user"], request["total_pages_visited"]]]

    def predict(self, x):
        return int(self.model.predict(x)[0]), self.model.predict_proba(x)[0]

    def encode_response(self, output):
        label, (zero, one) = output
        return {"prediction": label, "probabilities": {"0": float(zero), "1": float(one)}}


if __name__ == "__main__":
    server = litserve.LitServer(Sales(), accelerator="cpu", workers_per_device=2)
    port = int(os.environ["PORT"])
    server.run(host="127.0.0.1", port=port, num_api_servers=2, generate_client_file=False, log_level="error")
