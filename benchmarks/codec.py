"""Microseconds of decoding, glue and encoding for one row, and MB/s of tables: `python -m benchmarks.codec [FILE.csv]`.

Without a file it writes 316,200 rows of three whole numbers and a label, as the sales example has them. The model is a
NumPy logistic regression, so that the readers and not the model are compared.
"""

from __future__ import annotations

import io
import sys
import timeit
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.report import out
from flaskship.artifact.model import Model
from flaskship.predict import table
from flaskship.predict.batcher import join
from flaskship.predict.codec import Codec
from flaskship.predict.predictor import Predictor
from flaskship.schema import Answer, Columns, Facts, Field, FieldType, Signature, Task

NAMES = ("age", "new_user", "total_pages_visited")
WEIGHTS = np.array([-0.065, -1.74, 0.76])
ROWS = 316_200
BODY = b'{"age":45,"new_user":0,"total_pages_visited":5}'


@dataclass
class Logistic:
    """A model that costs next to nothing."""

    signature: Signature = Signature(
        task=Task.CLASSIFICATION,
        inputs=tuple(Field(name=name, type=FieldType.INTEGER, low=0, high=200) for name in NAMES),
        classes=(0, 1),
        probabilities=True,
    )
    facts: Facts = Facts(framework="numpy", kind="Logistic")
    native: None = None
    thresholds: dict[str, np.ndarray] = field(default_factory=dict)

    def predict(self, columns: Columns) -> Answer:
        x = np.column_stack([columns[name] for name in NAMES]).astype(float)
        chance = 1 / (1 + np.exp(-(x @ WEIGHTS)))
        labels = (chance > 0.5).astype(np.int64)
        return Answer(values=(labels,), probabilities=np.stack([1 - chance, chance], axis=1))


def micro(name: str, work: Callable[[], object], number: int = 50_000) -> None:
    out(f"{name:<52}{min(timeit.repeat(work, number=number, repeat=5)) / number * 1e6:9.2f} µs")


def macro(name: str, work: Callable[[], object], size: int) -> float:
    seconds = min(timeit.repeat(work, number=1, repeat=5))
    out(f"{name:<52}{seconds * 1e3:9.1f} ms {size / seconds / 1e6:9.0f} MB/s")
    return seconds


def one_row(codec: Codec, model: Model) -> None:
    """What one small request costs beside the model."""
    fixed = model.predict(codec.decode(BODY).columns)
    constant = Logistic()
    constant.predict = lambda columns: fixed  # type: ignore[method-assign]  # the glue alone
    fast, slow = Predictor(constant), Predictor(constant, fast=False)
    columns = codec.decode(BODY).columns
    micro("decode an object", lambda: codec.decode(BODY))
    micro("decode a query", lambda: codec.decode_query("age=45&new_user=0&total_pages_visited=5"))
    micro("decode an object with 45.0 for 45", lambda: codec.decode(BODY.replace(b"45", b"45.0")))
    micro("glue of a fast model", lambda: fast(columns))
    micro("warnings, none", lambda: fast.warnings(columns))
    micro("glue of a slow model (batcher, idle)", lambda: slow(columns))
    micro("encode", lambda: codec.encode(fixed, single=True))


def files(content: bytes, codec: Codec, model: Model) -> None:
    """A file of many rows: reading, answering, and what other readers take for reading alone."""
    size = len(content)
    chunks = list(table.read(content, codec))
    columns = {name: np.concatenate([chunk.columns[name] for chunk in chunks]) for name in NAMES}
    answer = model.predict(columns)

    def answered() -> Answer:
        return join([chunk.answer(model.predict) for chunk in table.read(content, codec)])

    def written(form: str) -> bytes:
        rows = table.read(content, codec)
        writer = table.writer(form, rows)
        return b"".join(
            [writer.head(), *(writer.rows(each, each.answer(model.predict)) for each in rows), writer.tail()]
        )

    readers = {"flaskship": lambda: list(table.read(content, codec)), **others(content)}
    taken = {name: macro(f"read CSV, {name}", work, size) for name, work in readers.items()}
    alone = macro("model alone", lambda: model.predict(columns), size)
    ours = macro("CSV in, JSON out", lambda: codec.encode_values(answered()), size)
    macro("CSV in, CSV out", lambda: written("csv"), size)
    macro("CSV in, JSON Lines out", lambda: written("jsonl"), size)
    macro("encode predictions alone", lambda: codec.encode_values(answer), size)
    macro("encode predictions and probabilities", lambda: codec.encode(answer, single=False), size)
    fastest = min((name for name in taken if name != "flaskship"), key=lambda name: taken[name], default="flaskship")
    out(f"CSV in, JSON out is {ours / (taken[fastest] + alone):.2f} × ({fastest} + model alone); the target is 1.5")
    quoted = b"\n".join(b'"' + line.replace(b",", b'","') + b'"' for line in content.split(b"\n")[:-1])
    macro("read CSV with every cell quoted", lambda: list(table.read(quoted, codec)), len(quoted))


def others(content: bytes) -> dict[str, Callable[[], object]]:
    """The readers that are installed here."""
    found: dict[str, Callable[[], object]] = {}
    try:
        from pyarrow import csv

        found["pyarrow"] = lambda: csv.read_csv(io.BytesIO(content))
        import pandas

        found["pandas"] = lambda: pandas.read_csv(io.BytesIO(content))
    except ModuleNotFoundError as error:
        out(f"({error.name} is not installed)")
    return found


def decimals(places: int) -> bytes:
    values = np.random.default_rng(1).uniform(-1000, 1000, (ROWS // 3, 3))
    return (
        ",".join(NAMES).encode()
        + b"\n"
        + b"".join(b"%.*f,%.*f,%.*f\n" % (places, a, places, b, places, c) for a, b, c in values)
    )


def main() -> None:
    model = Logistic()
    codec = Codec(model.signature)
    one_row(codec, model)
    if len(sys.argv) > 1:
        content = Path(sys.argv[1]).read_bytes()
    else:
        chance = np.random.default_rng(1)
        rows = np.stack(
            [chance.integers(17, 99, ROWS), chance.integers(0, 2, ROWS), chance.integers(1, 30, ROWS)], axis=1
        )
        content = ",".join(NAMES).encode() + b"\n" + b"".join(b"%d,%d,%d\n" % tuple(row) for row in rows.tolist())
    files(content, codec, model)
    numbers = Codec(Signature(task=Task.REGRESSION, inputs=tuple(Field(name=name) for name in NAMES)))
    for places in (2, 6, 15):
        text = decimals(places)
        for name, work in {"flaskship": lambda text=text: list(table.read(text, numbers)), **others(text)}.items():
            macro(f"read decimals of {places} places, {name}", work, len(text))


if __name__ == "__main__":
    main()
