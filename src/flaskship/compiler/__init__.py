"""A model as coefficients or as ONNX, kept only if it answers as the original does and faster."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from flaskship.artifact import linear_model
from flaskship.artifact.model import Model
from flaskship.artifact.onnx import model as onnx_model
from flaskship.compiler.affine import coefficients
from flaskship.compiler.convert import convert
from flaskship.compiler.graph import Unconvertible
from flaskship.compiler.parity import Parity, answered, measure, seconds
from flaskship.compiler.probes import probes
from flaskship.errors import BundleError, PredictionFailed
from flaskship.schema import Columns, Facts, Signature

__all__ = ["Compiled", "Parity", "Refusal", "compile", "probes", "tolerance"]

TOLERANCE: Final = 1e-6
TOLERANCE_FLOAT32: Final = 1e-5
TOLERANCE_SCALED: Final = 1e-4  # of the largest value of an output
NETS: Final = ("torch", "keras")
FEW: Final = 64  # rows, one of which the model answers, but for odd ones


class Form(StrEnum):
    """What a compiled model is, by the distribution that runs it."""

    COEFFICIENTS = "numpy"
    GRAPH = "onnxruntime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    content: bytes
    form: Form
    parity: Parity
    seconds_original: float  # for one row
    seconds_compiled: float

    def load(self, signature: Signature, facts: Facts) -> Model:
        return _loaded(self.content, self.form, signature, facts)

    @property
    def gain(self) -> float:
        return self.seconds_original / self.seconds_compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the original serves; `parity` where a graph was made."""

    reason: str
    parity: Parity | None = None


def tolerance(facts: Facts) -> float:
    """By how much a number may differ, relative: a model of single precision differs more by itself."""
    if facts.scaled:
        return TOLERANCE_SCALED
    return TOLERANCE_FLOAT32 if facts.float32 else TOLERANCE


def compile(model: Model, rows: Columns) -> Compiled | Refusal:
    """`model` in the first form in which it answers `rows` as before, and one row faster."""
    if model.native is None:
        return Refusal(reason="there is no estimator of a known library in it")
    folded = None if model.facts.framework in NETS else _folded(model)
    if folded is not None:
        result = _compared(model, folded, Form.COEFFICIENTS, rows)
        if isinstance(result, Compiled):
            return result
    try:
        return _compared(model, _converted(model), Form.GRAPH, rows)
    except Unconvertible as error:
        return Refusal(reason=str(error))
    except (BundleError, PredictionFailed) as error:
        return Refusal(reason=f"ONNX Runtime does not take its graph: {' '.join(str(error.__cause__).split())[:200]}")


def quicker(model: Model, rows: Columns) -> Any:
    """Of a net that stays with torch, the `Quicker` of compiler.net: a faster way that answers alike."""
    if model.facts.framework not in NETS or model.native is None:
        return None
    own = model.native.signature.inputs
    columns = {
        each.name: rows[name].astype(each.array_dtype) for each, name in zip(own, model.signature.names, strict=True)
    }
    return importlib.import_module(f"{__name__}.net").quicker(model.native, columns, tolerance(model.facts))


def _loaded(content: bytes, form: Form, signature: Signature, facts: Facts) -> Model:
    if form is Form.COEFFICIENTS:
        return linear_model.from_bytes(content, signature, facts)
    return onnx_model.from_bytes(content, signature, facts)


def _compared(model: Model, content: bytes, form: Form, rows: Columns) -> Compiled | Refusal:
    made = _loaded(content, form, model.signature, model.facts)
    parity = measure(
        model.signature, model.predict, made.predict, rows, tolerance(model.facts), scaled=model.facts.scaled
    )
    if not parity.exact:
        return Refusal(reason=_inexact(parity), parity=parity)
    row = _answered_row(model, rows)
    original, compiled = seconds(model.predict, row), seconds(made.predict, row)
    if compiled > original:
        reason = f"the original is faster: {original * 1e6:.0f} µs for one row, compiled {compiled * 1e6:.0f} µs"
        return Refusal(reason=reason, parity=parity)
    return Compiled(content=content, form=form, parity=parity, seconds_original=original, seconds_compiled=compiled)


def _folded(model: Model) -> bytes | None:
    try:
        return coefficients(model)
    except Exception:  # noqa: BLE001  # insides of another version: _converted tries next, and says what is
        return None


def _answered_row(model: Model, rows: Columns) -> Columns:
    """The first row that the model answers."""
    kept = answered(model.predict, {name: column[:FEW] for name, column in rows.items()})
    usual = kept[0][1] if kept else answered(model.predict, rows)[0][1]
    return {name: column[:1] for name, column in usual.items()}


def _converted(model: Model) -> bytes:
    try:
        if model.facts.framework in NETS:
            graph: bytes = importlib.import_module(f"{__name__}.net").graph(model.native)  # brings torch
            return graph
        return convert(model)
    except Unconvertible:
        raise
    except Exception as error:  # the insides of another version, or a library that cannot write its own model
        kind = type(error).__name__
        raise Unconvertible(f"{model.facts.kind} is not as it was expected ({kind}: {str(error)[:160]})") from error


def _inexact(parity: Parity) -> str:
    if not parity.rows:
        return "there are no rows to compare on that the original answers"
    if parity.label_changes:
        return f"{parity.label_changes:,} of {parity.rows:,} rows change their label when compiled"
    worst, limit = parity.largest_difference, parity.tolerance
    return f"numbers differ by {worst:.1e} (relative) when compiled, over {limit:g}, in {parity.rows:,} rows"
