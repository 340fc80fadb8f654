"""What a bundle is, for people and for programs: what `flaskship inspect` shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from rich.markup import escape
from rich.table import Table

from flaskship.app_bundle import AppBundle, Packed
from flaskship.artifact.huggingface import checkpoint
from flaskship.bundle import Bundle, Endpoint, Manifest
from flaskship.predict.arguments import figure
from flaskship.schema import Field, FieldType, Limits, Output, Signature
from flaskship.source import Content, Entry, files

RUNTIMES = {"numpy": "NumPy", "onnxruntime": "ONNX Runtime"}
FRAMEWORKS = {"torch", "transformers", "tensorflow", "keras", "jax", "scikit-learn", "xgboost", "lightgbm", "catboost"}
SHOWN = 8  # files, of many


def described(bundle: Packed) -> dict[str, Any]:
    """The manifest, the digest, and what was measured, as plain JSON values."""
    manifest: dict[str, Any] = msgspec.to_builtins(bundle.manifest)
    if isinstance(bundle, AppBundle) or bundle.manifest.code:
        content = contents(bundle)
        found = {"digest": bundle.digest, "size": sum(content.files.values()), **manifest}
        return {**found, "content": msgspec.to_builtins(content)}
    report = bundle.report
    measured = {"seconds_original": report.original, "seconds_served": report.served, "gain": report.gain}
    whole = sum(each.stat().st_size for each in bundle.path.rglob("*") if each.is_file())
    return {"digest": bundle.digest, "size": whole, **manifest, "one_row": measured}


def pairs(bundle: Packed) -> list[tuple[str, str]]:
    """What it is, and how that is called."""
    if isinstance(bundle, AppBundle):
        found = _of_app(bundle)
    elif bundle.manifest.code:
        found = _of_functions(bundle)
    else:
        found = _of_model(bundle)
    return [(name, value) for name, value in (*found, ("Digest", bundle.digest)) if value]


def tables(bundle: Packed) -> Iterator[Table]:
    """The fields: of a model, or of each endpoint."""
    if isinstance(bundle, AppBundle):
        return
    code = bundle.manifest.code
    if code is None:
        yield fields(bundle.manifest.signature)
        return
    for each in code.endpoints:
        yield fields(each.signature, heading(each))


def heading(endpoint: Endpoint) -> str:
    answers = endpoint.signature.answers.value
    batch = f", up to {endpoint.batch} rows at once" if endpoint.batch else ""
    told = f"\n{said}" if (said := endpoint.signature.help.partition("\n")[0]) else ""
    return f"{endpoint.name}: POST {endpoint.path}, answers {answers}{batch}{told}"


def contents(bundle: Packed, exclude: Sequence[str] = ()) -> Content:
    """Its files, as an image would have them; `exclude` are patterns of what stays out."""
    if not isinstance(bundle, Bundle):
        return files.contents(bundle.folder, bundle.manifest.entry, exclude)
    code = bundle.manifest.code
    assert code is not None
    if code.file == checkpoint.CONFIG:
        return Content(files=checkpoint.files(bundle.folder))
    root = "" if code.root == "." else f"{code.root}/"
    return files.contents(bundle.folder, Entry(root=code.root, file=f"{root}{code.file}"), exclude)


def _of_functions(bundle: Bundle) -> list[tuple[str, str]]:
    manifest, code = bundle.manifest, bundle.manifest.code
    assert code is not None
    return [
        ("Functions", ", ".join(each.name for each in code.endpoints)),
        ("Framework", _frameworks(manifest)),
        ("Source", f"{manifest.source.file}, {size(manifest.source.size)}"),
        ("Requirements", ", ".join(manifest.requirements)),
        ("Golden rows", ", ".join(bundle.recorded) or "none"),
        *_of_folder(contents(bundle)),
    ]


def _frameworks(manifest: Manifest) -> str:
    """`torch 2.13.0, Python 3.11.7` of functions that need torch."""
    facts = manifest.facts
    if facts.framework != "python":
        return f"{facts.framework} {facts.version}"
    needed = [each.partition("==") for each in manifest.requirements]
    used = [f"{name} {version}" for name, _, version in needed if name in FRAMEWORKS]
    return ", ".join([*used, f"Python {facts.version}"])


def _of_app(bundle: AppBundle) -> list[tuple[str, str]]:
    manifest, entry = bundle.manifest, bundle.manifest.entry
    return [
        ("App", f"{entry.framework or entry.interface.value}, {entry.interface.value.upper()}"),
        ("Started by", f"{entry.file}:{entry.object}" if entry.object else entry.file),
        ("Working directory", entry.root),
        ("Why", " ".join(entry.reasons)),
        ("Python", manifest.python),
        ("Requirements", ", ".join(manifest.requirements)),
        ("Environment", ", ".join(f"{name}={value}" for name, value in manifest.env.items())),
        ("Secrets", ", ".join(manifest.secrets)),
        ("Decisions", " ".join(manifest.decisions)),
        *_of_folder(contents(bundle)),
    ]


def _of_folder(content: Content) -> list[tuple[str, str]]:
    largest = sorted(content.files, key=lambda name: (-content.files[name], name))
    more = f", … ({len(largest)} in all)" if len(largest) > SHOWN else ""
    return [
        ("Files", ", ".join(f"{name} ({size(content.files[name])})" for name in largest[:SHOWN]) + more),
        ("Stays out", ", ".join(f"{name} ({why})" for name, why in list(content.left_out.items())[:SHOWN])),
        ("Looks secret", ", ".join(content.secrets)),
        ("Not there", ", ".join(content.missing)),
    ]


def _of_model(bundle: Bundle) -> list[tuple[str, str]]:
    manifest, facts = bundle.manifest, bundle.manifest.facts
    made = ", ".join(f"{name} {version}" for name, version in facts.made_with.items())
    return [
        ("Model", f"{facts.kind}, {manifest.signature.task.value}"),
        ("Framework", f"{facts.framework} {facts.version}" + (f" (file made with {made})" if made else "")),
        ("Answers", _outputs(manifest.signature)),
        ("Compiled", _compiled(bundle)),
        ("One row", _one_row(bundle)),
        ("Source", f"{manifest.source.file}, {size(manifest.source.size)}"),
        ("Served", f"{manifest.model}, {size((bundle.path / manifest.model).stat().st_size)}"),
        ("Requirements", ", ".join(manifest.requirements)),
        ("Pickle globals", ", ".join(facts.globals)),
        ("Score", ", ".join(f"{name} {value:.4g}" for name, value in manifest.score.items())),
    ]


def _compiled(bundle: Bundle) -> str:
    found = bundle.manifest.compilation
    parity = (
        f"{found.rows:,} rows tried, {found.label_changes} label changes, "
        f"largest difference {found.largest_difference:.1e} (tolerance {found.tolerance:.0e})"
    )
    if found.compiled:
        return f"yes, for {RUNTIMES.get(found.runtime, found.runtime)}: {parity}"
    if found.ways:
        return f"no: {found.reason}. Computed in {', '.join(found.ways)}: {parity}"
    return f"no: {found.reason}" + (f" ({parity})" if found.rows else "")


def _one_row(bundle: Bundle) -> str:
    report = bundle.report
    if not report.original:
        return ""
    original = f"{report.original * 1e6:,.1f} µs"
    if not (bundle.manifest.compilation.compiled or bundle.manifest.compilation.ways):
        return original
    return f"{original} → {report.served * 1e6:,.1f} µs, {report.gain:.{0 if report.gain >= 10 else 1}f} × faster"


def _outputs(signature: Signature) -> str:
    if signature.classes:
        classes = ", ".join(repr(each) for each in signature.classes[:10])
        more = ", …" if len(signature.classes) > 10 else ""
        return f"{classes}{more}" + (" with probabilities" if signature.probabilities else "")
    names = ", ".join(f"{each.name} ({_typed(each)})" for each in signature.outputs[:10])
    return names + (", …" if len(signature.outputs) > 10 else "") + (", score" if signature.score else "")


def _typed(value: Field | Output) -> str:
    """`number`; of an array `number [3, any, any]`."""
    sizes = ", ".join("any" if size < 0 else str(size) for size in value.shape)
    return f"{value.type.value} [{sizes}]" if sizes else value.type.value


def fields(signature: Signature, title: str = "Fields") -> Table:
    table = Table("Field", "Type", "Range or choices", "Default", title=escape(title), title_justify="left", box=None)
    table.columns[0].no_wrap = True
    for field in signature.inputs:
        kind = _typed(field) + (" or null" if field.nullable else "")
        default = "" if field.default is None else str(field.default)
        table.add_row(escape(field.name), escape(kind), escape(_domain(field)), escape(default))
    return table


def _domain(field: Field) -> str:
    if field.choices:
        shown = ", ".join(str(each) for each in field.choices[:8])
        return shown + (f", … ({len(field.choices)})" if len(field.choices) > 8 else "")
    if field.low is None or field.high is None:
        return _within(field.limits, "characters" if field.type is FieldType.TEXT else "values")
    return f"{field.low:g} to {field.high:g} {field.seen}".rstrip()


def _within(limits: Limits, unit: str) -> str:
    """`0 to 1`, `more than 0, at most 9`, `1 to 200 characters`; "" where there are none."""
    found = _between(limits.ge, limits.le, "") + _between(limits.min_length, limits.max_length, f" {unit}")
    bounds = (("more than", limits.gt), ("less than", limits.lt), ("a multiple of", limits.multiple_of))
    found += [f"{words} {figure(bound)}" for words, bound in bounds if bound is not None]
    return ", ".join([*found, *([f"as {limits.pattern!r}"] if limits.pattern is not None else [])])


def _between(least: float | None, most: float | None, unit: str) -> list[str]:
    if least is not None and most is not None:
        return [f"{figure(least)} to {figure(most)}{unit}"]
    bounds = (("at least", least), ("at most", most))
    return [f"{words} {figure(bound)}{unit}" for words, bound in bounds if bound is not None]


def size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
