"""Every error that Flaskship raises on purpose, and what it means to the two who see it.

`exit_code` is what the command line ends with, `status` what an HTTP client is answered with.

    FlaskshipError                 exit 1   500
    ├── UsageError                 exit 2   500   a flag, a setting or a combination that cannot be
    ├── TargetError                exit 3   500   the target cannot be opened
    │   ├── NotRecognised                         no known format, or no single model in it
    │   ├── UnsafePickle                          names globals that no model file needs
    │   ├── MissingExtra                          a library is not installed; says the command
    │   ├── VersionMismatch                       made by another library version, does not load or predict
    │   ├── BundleError                           a bundle that is damaged or was changed
    │   └── AppFailed                             somebody's app that does not start, or cannot be served
    ├── CheckFailed                exit 4   503   golden rows are answered differently
    ├── BadInput                   exit 5   422   wrong value: missing, unknown, repeated, type, choice, not finite
    │   ├── NotJSON                         400   the body cannot be parsed
    │   ├── TooLarge                        413   the body is over the limit
    │   └── UnsupportedContent              415   no reader for this content
    ├── PredictionFailed           exit 6   500   the model raised; the cause is logged, never sent
    ├── Unavailable                exit 7   503   starting, draining
    │   └── Overloaded                      429   the queue is full
    ├── ImageError                 exit 8   500   an image cannot be made, read or written
    │   ├── BaseError                             no base, or one without the Python that is wanted
    │   ├── NoWheel                               a package cannot be had for the image's platform
    │   └── DigestMismatch                        bytes that are not what their digest says
    ├── RegistryError              exit 9   500   a registry cannot be reached, or refuses
    │   └── LoginRefused                          it wants other credentials
    ├── EngineError                exit 10  500   Docker or Podman cannot be reached, or refuses
    └── FileError                  exit 11  500   a file cannot be read or written: no right to, a full disk

Runs on Python 3.8 too, in the processes that serve somebody's app: see flaskship/serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

INTERRUPTED = 130  # the exit code after Ctrl-C, as shells have it
MAX_PROBLEMS = 100  # more would help nobody and cost memory


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: where it is (`$.age`, `row 3, column 'age'`) and what it is."""

    at: str
    message: str


class FlaskshipError(Exception):
    """A sentence that says what was wrong, where, and what to do."""

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    @property
    def detail(self) -> str:
        return str(self.args[0]) if self.args else self.title


class UsageError(FlaskshipError):
    exit_code = 2
    title = "Wrong usage"


class TargetError(FlaskshipError):
    exit_code = 3
    title = "Target cannot be opened"


class NotRecognised(TargetError):
    title = "Target not recognised"


class UnsafePickle(TargetError):
    title = "Unsafe pickle"


class MissingExtra(TargetError):
    title = "Missing library"


class VersionMismatch(TargetError):
    title = "Library versions do not fit"


class BundleError(TargetError):
    title = "Bundle cannot be used"


class AppFailed(TargetError):
    title = "App cannot be served"


class CheckFailed(FlaskshipError):
    exit_code = 4
    status = 503
    title = "Golden rows are answered differently"


class BadInput(FlaskshipError):
    """Input that never reaches the model; `problems` names each fault, at most `MAX_PROBLEMS` of them."""

    exit_code = 5
    status = 422
    title = "Invalid input"

    def __init__(self, detail: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(detail)
        self.problems = tuple(problems[:MAX_PROBLEMS])


class NotJSON(BadInput):
    status = 400
    title = "Malformed body"


class TooLarge(BadInput):
    status = 413
    title = "Body too large"


class UnsupportedContent(BadInput):
    status = 415
    title = "Unsupported content"


class PredictionFailed(FlaskshipError):
    """The model itself raised. The cause is chained for the log; a client is told nothing of it."""

    exit_code = 6
    title = "Prediction failed"


class Unavailable(FlaskshipError):
    exit_code = 7
    status = 503
    title = "Unavailable"
    retry_after = 1  # seconds, for the `Retry-After` header


class Overloaded(Unavailable):
    status = 429
    title = "Too many requests"


class ImageError(FlaskshipError):
    exit_code = 8
    title = "Image cannot be made"


class BaseError(ImageError):
    title = "Base image cannot be used"


class NoWheel(ImageError):
    title = "Package cannot be had"


class DigestMismatch(ImageError):
    title = "Digest does not match"


class RegistryError(FlaskshipError):
    exit_code = 9
    title = "Registry"


class LoginRefused(RegistryError):
    title = "Login refused"


class EngineError(FlaskshipError):
    exit_code = 10
    title = "Container engine"


class FileError(FlaskshipError):
    exit_code = 11
    title = "Cannot read or write"

    @classmethod
    def of(cls, error: OSError) -> FileError:
        """What the system said, and of which file where it says that."""
        reason = error.strerror or str(error)
        return cls(f"{str(error.filename)!r}: {reason}." if error.filename else f"{reason}.")
