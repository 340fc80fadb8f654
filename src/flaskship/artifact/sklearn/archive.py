"""A skops file: a zip archive whose `schema.json` is a tree of nodes, each with the class that it makes and how.

{"__loader__": "ObjectNode", "__module__": "sklearn.svm._classes", "__class__": "SVC", "content": {…}}

skops asks which names are trusted, but not for what: that a class may be made empty would let it be called with any
arguments too. So each node is held to what the table of pickles allows its class.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from flaskship.artifact.pickles.allowed import Use, table
from flaskship.artifact.pickles.calls import guarded
from flaskship.artifact.pickles.symbols import Global
from flaskship.artifact.shim import streams
from flaskship.errors import UnsafePickle

SCHEMA = "schema.json"
MOST = 1 << 28  # bytes of the schema
SCALARS = tuple(f"numpy.{kind}" for kind in ("float", "int", "uint", "bool", "complex", "str_", "bytes_", "datetime64"))
LOADERS: dict[str, Callable[[Global], bool]] = {  # what skops makes a node by -> of which classes
    "ObjectNode": lambda made: made.use is Use.TYPE or (made.use is Use.CALL and made.module.startswith("sklearn.")),
    "FunctionNode": lambda made: made.use is Use.NAME and not guarded(made),
    "TypeNode": lambda made: made.use is not None and not guarded(made),
    "TreeNode": lambda made: str(made) == "sklearn.tree._tree.Tree",
    "LossNode": lambda made: (
        made.use is Use.CALL and made.module.endswith(("_loss", "sgd_fast")) and made.name[0] != "_"
    ),
    "SparseMatrixNode": lambda made: made.module.startswith("scipy.sparse."),
    "NdArrayNode": lambda made: (
        str(made) == "numpy.ndarray" or (made.use is Use.NAME and str(made).startswith(SCALARS))
    ),
    "MaskedArrayNode": lambda made: made.name == "MaskedArray" and made.module.startswith("numpy.ma"),
    "DTypeNode": lambda made: str(made) == "numpy.dtype",
    "RandomStateNode": lambda made: str(made) == "numpy.random.mtrand.RandomState",
    "RandomGeneratorNode": lambda made: str(made) == "numpy.random._generator.Generator",
    "DictNode": lambda made: made.name in ("dict", "OrderedDict", "Bunch"),
    "DefaultDictNode": lambda made: str(made) == "collections.defaultdict",
    "TupleNode": lambda made: (
        str(made) == "builtins.tuple" or (made.use is Use.TYPE and made.module.startswith("sklearn."))
    ),
    "PartialNode": lambda made: str(made) == "functools.partial",
    "JsonNode": lambda made: True,
    "CachedNode": lambda made: True,
    **{
        f"{name.capitalize()}Node": lambda made: made.module == "builtins"
        for name in ("list", "set", "bytes", "bytearray", "slice")
    },
}


def refuse_unsafe(file: BinaryIO, name: str) -> None:
    """Raises `UnsafePickle` for nodes that no model needs, and for members that would unpack to gigabytes."""
    with zipfile.ZipFile(file) as archive:
        sizes = {each.filename: each.file_size for each in archive.infolist()}
        if sizes[SCHEMA] > MOST:
            raise UnsafePickle(
                f"{name!r} is not loaded, since no model looks like this: its schema has {sizes[SCHEMA]:,} bytes."
            )
        nodes = list(_nodes(json.loads(archive.read(SCHEMA))))
    if unsafe := list(dict.fromkeys(filter(None, map(_unsafe, nodes)))):
        raise UnsafePickle(
            f"{name!r} is not loaded: it uses {', '.join(unsafe[:10])}, which no plain model file does."
            " Save the model anew from library classes only."
        )
    most = max(streams.LEAST, streams.RATIO * os.fstat(file.fileno()).st_size)
    if sum(sizes.get(str(node.get("file")), 0) for node in nodes) > most:
        raise UnsafePickle(
            f"{name!r} is not loaded, since no model looks like this: it unpacks to more than {most:,} bytes."
        )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if "__loader__" in each:
                yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _unsafe(node: dict[str, Any]) -> str:
    """What is unsafe in a node by itself, "" for nothing."""
    loader, module, name = (str(node.get(key)) for key in ("__loader__", "__module__", "__class__"))
    made = Global(module, name, table().get((module, name)))
    if loader not in LOADERS or not LOADERS[loader](made):
        return f"{made} ({loader})" if made.use else str(made)
    if loader == "ObjectNode" and made.use is Use.TYPE and "content" in node:
        return _forbidden(node["content"], made)
    return _forbidden(node, made) if name == "Bunch" else ""  # which gives its items as attributes


def _forbidden(state: Any, owner: Global) -> str:
    """What is unsafe in the attributes of an object: none, or a dictionary of them."""
    how, content = state["__loader__"], state.get("content")
    if how == "JsonNode" and content == "null":
        return ""
    if how != "DictNode":
        return f"a state of {owner} that is no dictionary"
    keys = [key for key in content if key.startswith("__") and key.endswith("__")]
    return f"the attribute {keys[0]!r}" if keys else ""
