"""Loading a pickle: nothing but what its scan saw."""

from __future__ import annotations

import importlib.metadata
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

from flaskship.artifact.pickles.allowed import packages
from flaskship.artifact.pickles.scanner import LIMIT, Scan, opened
from flaskship.artifact.shim import streams, unpickle
from flaskship.errors import NotRecognised, UnsafePickle, VersionMismatch


def refuse_unsafe(scan: Scan) -> None:
    """Raises `UnsafePickle` naming what is unsafe and what to do about it."""
    if not scan.unsafe:
        return
    shown = ", ".join(scan.unsafe[:10]) + (f" and {len(scan.unsafe) - 10} more" if len(scan.unsafe) > 10 else "")
    raise UnsafePickle(
        f"{scan.path.name!r} is not loaded: it uses {shown}, which no plain model file does, and unpickling it could"
        f" run any code. {_whose(scan)}If you trust whoever made it: --trust. Else save the model anew with skops, or"
        " from library classes only."
    )


def _whose(scan: Scan) -> str:
    own = [name for name in scan.unsafe if name.partition(".")[0] not in packages() and "." in name]
    own = [
        name for name in own if name.partition(".")[0] not in sys.stdlib_module_names or name.startswith("__main__.")
    ]
    own = [name for name in own if " " not in name]
    if not own:
        return ""
    home = own[0].rpartition(".")[0]
    return f"{own[0]!r} lives in {home!r}, the code of whoever trained it, which must be importable here too. "


def load(path: Path, scan: Scan) -> Any:
    """The object in the pickle, or a tuple of them when several stand one after another.

    Where the scan found nothing unsafe, nothing but what it saw is named. Raises `UnsafePickle` when the file is not
    what was scanned, `VersionMismatch` when the libraries here cannot make its objects, `MissingExtra`.
    """
    allowed = None if scan.unsafe else scan.names
    stream, _ = opened(path, LIMIT)
    with stream, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if streams.identity(stream.fileno()) != scan.identity:
            raise UnsafePickle(f"{path.name!r} was changed after it was looked at. Try again.")
        try:
            found = [unpickle.load(stream, allowed, scan.arrays, scan.kind == "joblib") for _ in range(scan.pickles)]
        except unpickle.Refused as error:
            raise UnsafePickle(
                f"{path.name!r} is not loaded: it asks for {error}, which its scan did not see."
            ) from error
        except ModuleNotFoundError as error:
            raise _missing(error, path, scan) from error
        except (MemoryError, RecursionError, OverflowError, EOFError, pickle.UnpicklingError) as error:
            raise NotRecognised(f"{path.name!r} cannot be unpickled: {_plain(error)}.") from error
        except Exception as error:  # a class's own __setstate__ runs here, and raises what it likes
            raise VersionMismatch(_mismatch(error, path, scan)) from error
    for each in caught:
        if each.category.__name__ != "InconsistentVersionWarning" and "unpickle estimator" not in str(each.message):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    return found[0] if len(found) == 1 else tuple(found)


def _missing(error: ModuleNotFoundError, path: Path, scan: Scan) -> Exception:
    """A library that is not here, or a module that it had in another version."""
    package = (error.name or "").partition(".")[0]
    if package in sys.modules or not error.name:
        return VersionMismatch(_mismatch(error, path, scan))
    return error


def _mismatch(error: Exception, path: Path, scan: Scan) -> str:
    differ = [(name, made, _installed(name)) for name, made in scan.versions.items() if made != _installed(name)]
    if differ:
        made = " and ".join(f"{name} {version}" for name, version, _ in differ)
        here = " and ".join(f"{name} {version or 'missing'}" for name, _, version in differ)
        pins = " ".join(f"{name}=={version}" for name, version, _ in differ)
    else:
        pins = " ".join(f"'{each}'" for each in scan.requires)
        made, here = pins or "versions that it does not tell", f"Python {sys.version.split()[0]}"
    advice = f"pip install {pins}, or --isolated" if pins else "load it where it was made and save it anew"
    return f"{path.name!r} was made with {made} and does not load here ({here}): {_plain(error)}. Do: {advice}."


def _installed(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _plain(error: BaseException) -> str:
    first = str(error).splitlines()[0].rstrip(".:") if str(error) else "no more is known"
    return f"{type(error).__name__}: {first}"
