"""A shop's model, as fake as can be, and what serves it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from werkzeug.serving import make_server

from flaskship import web
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.schema import Answer, Facts, Field, FieldType, Output, Signature, Task
from flaskship.settings import Settings

AGE = Field(name="age", type=FieldType.INTEGER, low=17, high=123, seen="in training", default=30)
NEW = Field(name="new_user", type=FieldType.BOOLEAN)
PAGES = Field(name="total pages", type=FieldType.NUMBER, nullable=True)
LAND = Field(name="land", type=FieldType.TEXT, choices=("de", "fr"), closed=True)
SHOP = Signature(
    task=Task.CLASSIFICATION,
    inputs=(AGE, NEW, PAGES, LAND),
    outputs=(Output(name="prediction", type=FieldType.TEXT),),
    classes=("buys", "leaves"),
    probabilities=True,
)


class Model:
    """Whoever is older than fifty buys. Fails at 66, and at 67 in a way that nobody foresaw."""

    facts = Facts(framework="fake", kind="Fake")
    native = None

    def __init__(self, signature: Signature = SHOP) -> None:
        self.signature, self.thresholds = signature, {}

    def predict(self, columns):
        first = columns[self.signature.names[0]].astype(float).reshape(len(columns[self.signature.names[0]]), -1)[:, 0]
        if 66 in first:
            raise RuntimeError("secret of the inside")
        buys = 1 / (1 + np.exp((50 - first) / 10))
        values = [np.where(buys > 0.5, "buys", "leaves").astype(object)]
        if self.signature.outputs[0].type is FieldType.NUMBER:
            values = [first * (index + 1) for index, _ in enumerate(self.signature.outputs)]
        chances = np.stack([buys, 1 - buys], axis=1) if self.signature.probabilities else None
        return Answer(values=tuple(values), probabilities=chances, score=-first if self.signature.score else None)


def make_subject(name: str = "shop", signature: Signature = SHOP, **more) -> web.Subject:
    made = web.Subject(name=name, codec=Codec(signature), **more)
    made.open(Predictor(Model(signature), observe=made.observe))
    return made


@pytest.fixture
def subject() -> web.Subject:
    return make_subject(card={"framework": "scikit-learn", "kind": "LogisticRegression", "digest": "sha256:00"})


@pytest.fixture(scope="session")
def made() -> Callable[..., web.Subject]:
    """Makes a subject of a name and a signature."""
    return make_subject


@pytest.fixture
def client(subject):
    return web.create_app([subject], Settings()).test_client()


@pytest.fixture
def row() -> dict[str, object]:
    return {"age": 45, "new_user": True, "total pages": 5.5, "land": "de"}


@pytest.fixture
def server() -> Iterator[Callable[..., str]]:
    """Serves an app on a real socket: `host:port`."""
    running = []

    def serve(app) -> str:
        made = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        running.append((made, thread))
        return f"127.0.0.1:{made.port}"

    yield serve
    for each, thread in running:
        each.shutdown()
        thread.join()
        each.server_close()
