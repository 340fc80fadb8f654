"""The one shape in which every framework's model is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flaskship.errors import PredictionFailed
from flaskship.schema import Answer, Array, Columns, Facts, Signature


class Model(Protocol):
    """A loaded model.

    `predict` takes one column a field of the signature and answers row by row: row i of the answer depends on
    row i of the columns only, so that rows of several callers may be joined. It may be called by several threads.
    Whatever the framework raises is a `PredictionFailed`.
    """

    @property
    def signature(self) -> Signature: ...

    @property
    def facts(self) -> Facts: ...

    @property
    def native(self) -> Any:
        """The framework's own object, for a converter; None where there is none."""

    @property
    def thresholds(self) -> Mapping[str, Array]:
        """A tree model's split thresholds by field, in the units in which the field arrives; empty for other models."""

    def predict(self, columns: Columns) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Refined:
    """A model under a signature that says more than its own: names, types and ranges from a sample."""

    model: Model
    signature: Signature

    @property
    def facts(self) -> Facts:
        return self.model.facts

    @property
    def native(self) -> Any:
        return self.model.native

    @property
    def thresholds(self) -> Mapping[str, Array]:
        names = dict(zip(self.model.signature.names, self.signature.names, strict=True))
        return {names[own]: values for own, values in self.model.thresholds.items()}

    def predict(self, columns: Columns) -> Answer:
        own = self.model.signature.inputs
        given = (columns[name] for name in self.signature.names)
        return self.model.predict(
            {field.name: column.astype(field.array_dtype, copy=False) for field, column in zip(own, given, strict=True)}
        )


def failed(error: Exception) -> PredictionFailed:
    """What a framework's `error` is to whoever asked the model."""
    return PredictionFailed(f"The model raised {type(error).__name__}: {error}.")


def refined(model: Model, signature: Signature) -> Model:
    """`model` under `signature`, whose inputs are the model's own in the same order."""
    if isinstance(model, Refined):
        model = model.model
    return model if model.signature == signature else Refined(model, signature)
