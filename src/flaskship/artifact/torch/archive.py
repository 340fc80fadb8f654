"""What is in torch's zip archives, looked at before torch opens them.

torch.export.load unpickles whatever an archive holds, evaluates the expressions of its shapes, and calls what its graph
names; so pickles are held to what `weights_only` allows, expressions to SymPy's own words, calls to operators. Code of
TorchScript runs in an interpreter of its own, whose operators can write and map files: those are refused.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch

from flaskship.artifact.sniff import Format, Sniffed
from flaskship.errors import UnsafePickle

MEMBERS: Final = re.compile(
    r"([^/]+/)?(archive_format|archive_version|version|byteorder|\.data/\w+|\.format_version|\.storage_alignment"
    r"|models/\w+\.json|data/weights/(weight_\d+|\w+_config\.json|\w+\.pt)"
    r"|data/constants/(tensor_\d+|\w+_config\.json|\w+\.pt)|data/sample_inputs/\w+\.pt"
    r"|extra/flaskship\.json|serialized_exported_program\.json|serialized_(state_dict|constants|example_inputs)\.(pt|json))"
)
CALLS: Final = re.compile(
    r"torch\.ops\.(aten|prims|torchvision|quantized_decomposed)\.(?!save\b|from_file\b|_from_file\b)\w+(\.\w+)?"
    r"|torch\.ops\.higher_order\.(cond|map_impl|while_loop|scan|associative_scan|wrap_with_set_grad_enabled"
    r"|wrap_with_autocast|flex_attention)"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
    r"|math\.(ceil|floor|sqrt|trunc|pow|log2)|torch\.sym_(float|int|ite|max|min|not|sum|sqrt)|torch\._sym_sqrt"
)
WORDS: Final = frozenset(
    [
        "Symbol",
        "Integer",
        "Float",
        "Rational",
        "Add",
        "Mul",
        "Pow",
        "Max",
        "Min",
        "Mod",
        "PythonMod",
        "FloorDiv",
        "CeilDiv",
        "CleanDiv",
        "ModularIndexing",
        "Where",
        "CeilToInt",
        "FloorToInt",
        "PowByNatural",
        "FloatPow",
        "IntTrueDiv",
        "FloatTrueDiv",
        "ToFloat",
        "RoundToInt",
        "TruncToInt",
        "LShift",
        "RShift",
        "Eq",
        "Ne",
        "Equality",
        "Unequality",
        "StrictLessThan",
        "LessThan",
        "StrictGreaterThan",
        "GreaterThan",
        "Lt",
        "Le",
        "Gt",
        "Ge",
        "And",
        "Or",
        "Not",
        "Piecewise",
        "positive",
        "negative",
        "nonnegative",
        "nonpositive",
        "nonzero",
        "zero",
        "integer",
        "real",
        "finite",
        "True",
        "False",
    ]
)
EXPRESSION: Final = re.compile(r"(?:'\w*'|[A-Za-z_]\w*|\d+(?:\.\d*)?(?:e-?\d+)?|[-+*/()=, <>&|~])*")
SYMBOL: Final = re.compile(r"z?u?[sf]\d+|u\d+")
OF_SCRIPT: Final = re.compile(rb"\b(?:torch|aten)\.(save|from_file|_from_file)\b")


def refuse_unsafe(found: Sniffed) -> None:
    """Raises `UnsafePickle` naming what in the archive could run code."""
    with zipfile.ZipFile(found.path) as archive:
        names = [each.lower() for each in archive.namelist()]  # torch's reader does not mind the case
        if len(set(names)) != len(names):
            raise _unsafe(found.path, "has two members of one name")
        odd = _of_script(archive) if found.format is Format.TORCHSCRIPT else _of_export(archive)
        for each in odd:
            raise _unsafe(found.path, each)


def _unsafe(path: Path, what: str) -> UnsafePickle:
    return UnsafePickle(
        f"{path.name!r} is not loaded: it {what}, which no plain model file does, and loading it could run any code."
        " If you trust whoever made it: --trust."
    )


def _of_script(archive: zipfile.ZipFile) -> Iterator[str]:
    for name in archive.namelist():
        if "/code/" in name and name.endswith(".py") and (found := OF_SCRIPT.search(archive.read(name))):
            yield f"calls {found[0].decode()}"


def _of_export(archive: zipfile.ZipFile) -> Iterator[str]:
    for name in archive.namelist():
        if not MEMBERS.fullmatch(name):
            yield f"holds {name!r}"
        elif name.endswith(".json"):
            content = json.loads(archive.read(name))
            yield from _of_graph(content)
            if name.endswith("_config.json"):
                folder = name.rpartition("/")[0]
                pickled = [each["path_name"] for each in content["config"].values() if each["use_pickle"]]
                yield from (odd for each in pickled for odd in _of_pickle(archive, f"{folder}/{each}"))
        elif name.endswith(".pt"):
            yield from _of_pickle(archive, name)


def _of_pickle(archive: zipfile.ZipFile, name: str) -> Iterator[str]:
    content = archive.read(name)
    if not content:
        return
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        yield f"holds the pickle {name!r} of more than tensors ({str(error).partition('.')[0][:120]})"


def _of_graph(value: Any) -> Iterator[str]:
    """What its calls and its shapes name that is no operator and no arithmetic."""
    if isinstance(value, list):
        for each in value:
            yield from _of_graph(each)
    if not isinstance(value, dict):
        return
    for key, each in value.items():
        if key in ("target", "as_operator") and isinstance(each, str) and not CALLS.fullmatch(each):
            yield f"calls {each!r}"
        elif key == "expr_str" and not arithmetic(str(each)):
            yield f"has the shape {each!r}"
        elif key not in ("metadata", "target", "as_operator", "expr_str"):
            yield from _of_graph(each)


def arithmetic(text: str) -> bool:
    """Whether `text` is an expression of sizes, as `Add(Symbol('s0', positive=True, integer=True), Integer(1))`."""
    quoted, words = re.findall(r"'(\w*)'", text), re.findall(r"[A-Za-z_]\w*", re.sub(r"'\w*'", "", text))
    names = [*quoted, *(each for each in words if each not in WORDS)]
    return bool(EXPRESSION.fullmatch(text)) and all(map(SYMBOL.fullmatch, names))
