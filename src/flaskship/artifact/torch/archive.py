"""What is in torch's zip archives, looked at before torch opens them.

torch.export.load unpickles whatever an archive holds, evaluates the expressions of its shapes, and calls what its graph
names; so pickles are held to what `weights_only` allows, expressions to SymPy's own words, calls to operators. Code of
TorchScript runs in an interpreter of its own, whose operators can write and map files: those are refused.
"""

from __future__ import annotations

import ast
import io
import json
import math
import pickle
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from flaskship.artifact.sniff import MEMBER_LIMIT, Format, Sniffed
from flaskship.errors import NotRecognised, UnsafePickle

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
WORDS: Final = frozenset([
    "Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Max", "Min", "Mod", "PythonMod",
    "FloorDiv", "CeilDiv", "CleanDiv", "ModularIndexing", "Where", "CeilToInt", "FloorToInt", "PowByNatural",
    "FloatPow", "IntTrueDiv", "FloatTrueDiv", "ToFloat", "RoundToInt", "TruncToInt", "LShift", "RShift", "Eq",
    "Ne", "Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan", "Lt",
    "Le", "Gt", "Ge", "And", "Or", "Not", "Piecewise", "positive", "negative", "nonnegative", "nonpositive",
    "nonzero", "zero", "integer", "real", "finite", "True", "False",
])  # fmt: skip
EXPRESSION: Final = re.compile(r"(?:'\w*'|[A-Za-z_]\w*|\d+(?:\.\d*)?(?:e-?\d+)?|[-+*/()=, <>&|~])*+")
RAISING: Final = ("Pow", "PowByNatural", "FloatPow", "LShift", "RShift")
HIGHEST: Final = 1024  # of the exponents in an expression, multiplied
SYMBOL: Final = re.compile(r"z?u?[sf]\d+|u\d+")
OF_SCRIPT: Final = re.compile(rb"\b(save|_?from_file)\b")  # however it comes to its name
OF_ENUM: Final = re.compile(r"__enum__|\\u00[2-7]")  # of any module, which is imported; or its name, hidden
BROKEN: Final = (
    *(ValueError, LookupError, TypeError, AttributeError, RecursionError, RuntimeError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)
DENSEST: Final = 100  # times its bytes that a file may unpack to


@dataclass(frozen=True, slots=True)
class Members:
    """An archive as both of torch's readers have it, Python's and its own: each may take another directory for it."""

    archive: zipfile.ZipFile
    own: Any  # None where this one finds no archive, and torch takes Python's

    def names(self) -> list[str]:
        """Raises `Twofold`."""
        found = self.archive.namelist()
        tails = sorted(each.partition("/")[2] for each in found)
        if len({each.lower() for each in found}) != len(found):  # torch's reader does not mind the case
            raise Twofold("has two members of one name")
        if self.own is not None and sorted(self.own.get_all_records()) != tails:
            raise Twofold("is two archives in one")
        return found

    def read(self, name: str) -> bytes:
        """Raises `Twofold`."""
        content = self.archive.read(name)
        if self.own is not None and self.own.get_record(name.partition("/")[2]) != content:
            raise Twofold("is two archives in one")
        return content


class Twofold(Exception):
    """What is read depends on who reads."""


def refuse_unsafe(found: Sniffed) -> None:
    """Raises `UnsafePickle` naming what in the archive could run code, `NotRecognised` for what is damaged."""
    try:
        with zipfile.ZipFile(found.path) as archive:
            odd = _odd(found, archive)
    except Twofold as error:
        odd = str(error)
    except BROKEN as error:
        said = " ".join(str(error).split())[:200]
        raise NotRecognised(
            f"{found.path.name!r} is damaged: {said or 'it is nested too deep'}. Save it anew."
        ) from error
    if odd:
        raise _unsafe(found.path, odd)


def _odd(found: Sniffed, archive: zipfile.ZipFile) -> str:
    promised = sum(each.file_size for each in archive.infolist())
    if promised > DENSEST * found.path.stat().st_size + MEMBER_LIMIT:
        return f"unpacks to {promised / 1e9:.1f} GB"
    try:
        own = torch._C.PyTorchFileReader(str(found.path))
    except RuntimeError:  # of a torch that wrote no folder into its archives
        own = None
    members = Members(archive, own)
    return next((_of_script if found.format is Format.TORCHSCRIPT else _of_export)(members), "")


def _unsafe(path: Path, what: str) -> UnsafePickle:
    return UnsafePickle(
        f"{path.name!r} is not loaded: it {what}, which no plain model file does, and loading it could run any code."
        " If you trust whoever made it: --trust."
    )


def _of_script(members: Members) -> Iterator[str]:
    for name in members.names():
        at = name.lower()
        if "/code/" in at and at.endswith(".py") and (found := OF_SCRIPT.search(members.read(name))):
            yield f"calls torch.{found[0].decode()}"


def _of_export(members: Members) -> Iterator[str]:
    for name in members.names():
        if not MEMBERS.fullmatch(name):
            yield f"holds {name!r}"
        elif name.endswith(".json"):
            content = json.loads(members.read(name))
            yield from _of_graph(content)
            if name.endswith("_config.json"):
                folder = name.rpartition("/")[0]
                _refuse_gaps(members, folder, content["config"])
                pickled = [each["path_name"] for each in content["config"].values() if each["use_pickle"]]
                yield from (odd for each in pickled for odd in _of_pickle(members, f"{folder}/{each}"))
        elif name.endswith(".pt"):
            yield from _of_pickle(members, name)


def _refuse_gaps(members: Members, folder: str, config: Mapping[str, Any]) -> None:
    """Raises `ValueError` for a tensor without its bytes, which torch would take for zeros."""
    for name, each in config.items():
        sizes = [size.get("as_int", 1) for size in (each.get("tensor_meta") or {}).get("sizes", [])]
        place = f"{folder}/{each['path_name']}"
        if not each["use_pickle"] and all(sizes) and not members.archive.getinfo(place).file_size:
            raise ValueError(f"{place!r}, the values of {name!r}, is empty")


def _of_pickle(members: Members, name: str) -> Iterator[str]:
    content = members.read(name)
    if not content:
        return
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        yield f"holds the pickle {name!r} of more than tensors ({str(error).partition('.')[0][:120]})"


def _of_graph(value: Any) -> Iterator[str]:
    """What its calls and its shapes name that is no operator and no arithmetic.

    Values of the graph are kept by names of its author's, who may call one "metadata" or "target".
    """
    if isinstance(value, str) and OF_ENUM.search(value):
        yield f"names an enumeration ({value[:80]!r})"
    if isinstance(value, list):
        for each in value:
            yield from _of_graph(each)
    if not isinstance(value, dict):
        return
    for key, each in value.items():
        if key in ("target", "as_operator") and isinstance(each, str):
            if not CALLS.fullmatch(each):
                yield f"calls {each!r}"
        elif key == "expr_str":
            if not arithmetic(str(each)):
                yield f"has the shape {each!r}"
        elif key != "metadata" or not _is_plain(each):
            yield from _of_graph(each)


def _is_plain(value: Any) -> bool:
    """Whether it is what metadata are: texts by name, where a call comes from."""
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def arithmetic(text: str) -> bool:
    """Whether `text` is an expression of sizes, as `Add(Symbol('s0', positive=True, integer=True), Integer(1))`."""
    quoted, words = re.findall(r"'(\w*)'", text), re.findall(r"[A-Za-z_]\w*", re.sub(r"'\w*'", "", text))
    names = [*quoted, *(each for each in words if each not in WORDS)]
    return bool(EXPRESSION.fullmatch(text)) and all(map(SYMBOL.fullmatch, names)) and _is_small(text)


def _is_small(text: str) -> bool:
    """Whether no power or shift in it makes a number that takes long to compute."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    raised = 1.0
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.LShift | ast.RShift):
            return False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISING:
            given = [*node.args[1:], *(each.value for each in node.keywords)]
            numbers = [each.value for inner in given for each in ast.walk(inner) if isinstance(each, ast.Constant)]
            raised *= math.prod(max(1.0, abs(float(each))) for each in numbers if isinstance(each, int | float))
    return raised <= HIGHEST
