"""What an expression is, as far as reading tells: text and numbers, joined, from names, of paths.

    os.path.join(os.path.dirname(__file__), "model", NAME)    "/\\0/api/model/x.pkl"
    Path("data") / f"{NAME}.csv"                              "data/x.csv"
    int(os.environ.get("PORT", 5000))                         5000

A path that starts with `FOLDER` lies in the folder, wherever that is; a relative one is for the working directory.
"""

from __future__ import annotations

import ast
import posixpath
from collections import Counter
from typing import TypeAlias

from flaskship.source.code import Code, Module

FOLDER = "/\0"
DEPTH = 12  # of names that stand for names

Value: TypeAlias = str | int | float | None

JOIN = {"os.path.join", "posixpath.join", "path.join", "pathlib.Path", "pathlib.PurePath", "Path", "safe_join"}
SAME = {
    *("os.path.abspath", "os.path.realpath", "os.path.normpath", "os.path.expandvars", "os.fspath"),
    *("os.path.expanduser",),
    *("str", "int", "float", "resolve", "absolute", "as_posix", "expanduser", "strip", "normpath", "abspath"),
}
ENVIRONMENT = {"os.environ.get", "os.getenv", "environ.get", "getenv", "decouple.config", "environ.setdefault"}


class Values:
    """Of one module; `cwd` is the working directory, relative to the folder, with `/`."""

    def __init__(self, code: Code, module: Module, cwd: str = ".") -> None:
        self.code, self.module, self.cwd = code, module, cwd
        self.assigned = assigned(module)

    def of(self, node: ast.AST | None, depth: int = 0) -> Value:
        """None where it cannot be told."""
        if node is None or depth > DEPTH:
            return None
        match node:
            case ast.Constant(value=str() | int() | float() as value):
                return value
            case ast.Name(id="__file__"):
                return posixpath.join(FOLDER, self.module.path)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self.named(node, depth + 1)
            case ast.JoinedStr(values=parts):
                return self.joined(
                    [part.value if isinstance(part, ast.FormattedValue) else part for part in parts], depth
                )
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.joined([left, right], depth)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self.path([left, right], depth)
            case ast.BoolOp(op=ast.Or(), values=values):
                return next((found for each in values if (found := self.of(each, depth + 1))), None)
            case ast.Call():
                return self.call(node, depth + 1)
        return None

    def text(self, node: ast.AST | None) -> str:
        value = self.of(node)
        return value if isinstance(value, str) else ""

    def joined(self, nodes: list[ast.expr], depth: int) -> Value:
        values = [self.of(node, depth + 1) for node in nodes]
        if any(value is None for value in values) or not any(isinstance(value, str) for value in values):
            return None
        return "".join(map(str, values))

    def path(self, nodes: list[ast.expr], depth: int) -> Value:
        values = [self.of(node, depth + 1) for node in nodes]
        parts = [value for value in values if isinstance(value, str)]
        return posixpath.normpath(posixpath.join(*parts)) if parts and len(parts) == len(values) else None

    def call(self, node: ast.Call, depth: int) -> Value:
        name = self.module.dotted(node.func)
        last = name.rpartition(".")[2]
        inner = node.func.value if isinstance(node.func, ast.Attribute) else None
        match last:
            case _ if name in JOIN or last == "PurePosixPath":
                return self.path(node.args, depth) if node.args else "."
            case "dirname" if node.args:
                return parent(self.of(node.args[0], depth))
            case "getcwd" | "cwd":
                return posixpath.normpath(posixpath.join(FOLDER, self.cwd))
            case "joinpath" if inner:
                return self.path([inner, *node.args], depth)
            case _ if name in ENVIRONMENT and len(node.args) > 1:
                return self.of(node.args[1], depth)
            case _ if name in ENVIRONMENT:
                return next((self.of(each.value, depth) for each in node.keywords if each.arg == "default"), None)
            case _ if name in SAME or last in SAME:
                value = self.of(node.args[0] if node.args else inner, depth)
                return int(value) if last == "int" and isinstance(value, str) and value.isdigit() else value
        return None

    def named(self, node: ast.Name | ast.Attribute | ast.Subscript, depth: int) -> Value:
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            return parent(self.of(node.value, depth))
        if isinstance(node, ast.Attribute) and node.attr == "root_path":
            return posixpath.join(FOLDER, posixpath.dirname(self.module.path))
        if isinstance(node, ast.Subscript):
            if isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
                value, up = self.of(node.value.value, depth), self.of(node.slice, depth)
                for _ in range(up + 1 if isinstance(up, int) else 0):
                    value = parent(value)
                return value if isinstance(up, int) else None
            key = ast.unparse(node)
        else:
            key = self.module.dotted(node)
        if key in self.assigned:
            return self.of(self.assigned[key], depth)
        return self.elsewhere(key, depth)

    def elsewhere(self, key: str, depth: int) -> Value:
        """What a name is in the module of the folder that it comes from: `config.MODEL`, `.config.Config.MODEL`."""
        parts = key.split(".")
        for count in range(len(parts) - 1, 0, -1):
            found = self.code.local(".".join(parts[:count]), self.module.path)
            module = self.code.module(found) if found and found != self.module.path else None
            if module and depth <= DEPTH:
                other = Values(self.code, module, self.cwd)
                return other.of(other.assigned.get(".".join(parts[count:])), depth + 1)
        return None


def parent(value: Value) -> Value:
    return (posixpath.dirname(value) or ".") if isinstance(value, str) else None


def written(target: ast.expr) -> str:
    if isinstance(target, ast.Name):
        return target.id
    return ast.unparse(target) if isinstance(target, ast.Attribute | ast.Subscript) else ""


def assigned(module: Module) -> dict[str, ast.expr]:
    """What is assigned exactly once in a module: `NAME`, `Class.NAME`, `app.config['KEY']`."""
    found: dict[str, ast.expr] = {}
    times: Counter[str] = Counter()
    for owner in (None, *(node for node in module.nodes if isinstance(node, ast.ClassDef))):
        for node in owner.body if owner else module.nodes:
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AnnAssign) and node.value:
                targets = [node.target]
            for target in targets:
                name = written(target)
                key = f"{owner.name}.{name}" if owner else name
                times[key] += 1
                if name and isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
                    found[key] = node.value
    return {key: value for key, value in found.items() if times[key] == 1}
