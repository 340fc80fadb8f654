"""BentoML's own way to serve a network, in batches."""

import os
from typing import Any

import bentoml
from network import KINDS


@bentoml.service(workers=int(os.environ["WORKERS"]), traffic={"timeout": 60})
class Network:
    def __init__(self) -> None:
        self.network = KINDS[os.environ["KIND"]]()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=10_000)
    def predict(self, rows: list[Any]) -> list[list[float]]:
        return self.network(rows)
