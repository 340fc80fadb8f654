"""From an archive of torch to a model."""

from __future__ import annotations

from collections.abc import Sequence

from flaskship.artifact import facts
from flaskship.artifact.sniff import Format, Sniffed
from flaskship.artifact.torch import archive, inputs, model, program
from flaskship.artifact.torch.model import TorchModel
from flaskship.artifact.torch.program import Program
from flaskship.errors import NotRecognised
from flaskship.schema import Array, Facts, Signature


def load(
    found: Sniffed,
    *,
    like: Array | None = None,
    shapes: Sequence[str] = (),
    known: Signature | None = None,
    ways: Sequence[str] = (),
    trust: bool = False,
) -> TorchModel:
    """The model in TorchScript or a program of torch.export.

    Of what says no shapes, `like` are example rows, `shapes` what a user says, `known` what a bundle knows.
    `ways` are of computing. Raises `NotRecognised`, and `UnsafePickle` unless `trust`.
    """
    what = repr(found.path.name)
    if not trust:
        archive.refuse_unsafe(found)
    made = program.script(found.path) if found.format is Format.TORCHSCRIPT else program.exported(found.path)
    return model_of(made.computed(ways) if ways else made, what, rows=(like, shapes), known=known)


def model_of(
    made: Program, what: str, *, rows: inputs.Rows = inputs.UNTOLD, known: Signature | None = None
) -> TorchModel:
    """The program under a signature. Raises `NotRecognised`."""
    given = inputs.of(made, rows, known, what)
    if known is None:
        given = inputs.placed(made, given)
    signature, results = model.outputs(made, given, inputs.fields(given), what)
    about = Facts(
        framework=made.told.framework,
        kind=made.told.kind,
        version=made.told.version or facts.version("torch").partition("+")[0],
        made_with=made.told.made_with,
        requirements=tuple(each.partition("+")[0] for each in facts.pins(["torch", "numpy"])),
        float32=True,
        scaled=True,
    )
    loaded = TorchModel(program=made, given=given, results=results, signature=signature, facts=about)
    if known is None and model.mixes_rows(loaded):
        raise NotRecognised(
            f"{what} answers a row differently when others are beside it, so that it cannot take several callers' rows."
            " Export it in evaluation mode, with rows first; or write a function that calls it, row by row."
        )
    return loaded
