"""From a request's bytes to a reply's, the same for the fast lane and for Flask.

reply.json(subject, b'{"age": 45, …}')
    -> Reply("200 OK", [("Content-Type", "application/json"), …], b'{"prediction":0, …}')
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

from werkzeug.http import parse_options_header

from flaskship.errors import BadInput, NotJSON, TooLarge, UnsupportedContent
from flaskship.predict.codec import Request, pairs
from flaskship.predict.uploads import Given, Upload, named
from flaskship.schema import AnswerType
from flaskship.web import multipart
from flaskship.web.subject import Subject

Headers: TypeAlias = list[tuple[str, str]]
Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
WSGI: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

JSON = "application/json"
MASKS = "masks"  # an option in the query
OK = "200 OK"
NO_SNIFF = ("X-Content-Type-Options", "nosniff")
NO_STORE = ("Cache-Control", "no-store")
JSON_TYPE = ("Content-Type", JSON)
UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})


class Reply(NamedTuple):
    """What start_response and a WSGI server want."""

    status: str
    headers: Headers
    body: bytes

    @classmethod
    def of(cls, body: bytes, content: str = JSON, status: str = OK) -> Reply:
        length = ("Content-Length", str(len(body)))
        return cls(status, [("Content-Type", content), length, NO_SNIFF, NO_STORE], body)


def answer(subject: Subject, request: Request) -> Reply:
    """The model's answer to decoded rows."""
    predictor, columns = subject.predictor, request.columns
    try:
        body = subject.codec.encode(predictor(columns), single=request.single, warnings=predictor.warnings(columns))
    finally:
        request.close()
    return Reply(OK, [JSON_TYPE, ("Content-Length", str(len(body))), NO_SNIFF, NO_STORE], body)


def query(subject: Subject, text: str) -> Reply:
    """The answer to one row in a URL's query, as WSGI has it."""
    return answer(subject, queried(subject, text))


def queried(subject: Subject, text: str) -> Request:
    """What a URL's query asks."""
    if subject.quick:
        return subject.codec.decode_query(text if text.isascii() else from_wsgi(text))
    return subject.codec.decode_pairs(fields(subject, text))


def fields(subject: Subject, query: str) -> list[tuple[str, Given]]:
    """The names and values of a query that are fields."""
    there = options(subject, query)
    return [each for each in pairs(from_wsgi(query)) if each not in there]


def options(subject: Subject, query: str) -> list[tuple[str, str]]:
    """Those that say what is answered: `masks=rle` of a function that segments."""
    may = subject.signature.answers is AnswerType.SEGMENTATION and MASKS not in subject.signature.names
    return [each for each in pairs(from_wsgi(query)) if may and each[0] == MASKS]


def json(subject: Subject, body: bytes) -> Reply:
    return answer(subject, subject.codec.decode(body))


def content(subject: Subject, body: bytes, content_type: str) -> Reply:
    """The answer to a body of any type that /predict reads. Raises `UnsupportedContent` for others."""
    return answer(subject, decoded(subject, body, content_type))


def decoded(subject: Subject, body: bytes, content_type: str, query: str = "") -> Request:
    """What is asked in a body of any type that /predict reads; beside a file alone, further fields are in the query."""
    media, options = media_type(content_type)
    if options.get("charset", "").lower() not in UTF8:
        raise UnsupportedContent(f"The charset is {options['charset']!r}. Send UTF-8.")
    looks_like_json = body.lstrip()[:1] in (b"{", b"[") or (not body and not subject.signature.inputs)
    if media == JSON or media.endswith("+json") or (looks_like_json and media in ("", multipart.URLENCODED)):
        return subject.codec.decode(body)
    bare = bool(subject.file) and (media not in multipart.TYPES or binary(body, media))
    if media in multipart.TYPES and not bare:
        return subject.codec.decode_pairs(form(body, content_type, files=subject.takes_files))
    if bare:
        upload = Upload(name=subject.file, content_type=media, filename=named(media), body=body)
        return subject.codec.decode_pairs([(subject.file, upload), *fields(subject, query)])
    sent = f"{media!r} is no type that is read here" if media else "The body has no content type and is not JSON"
    files = f", with {' and '.join(map(repr, subject.files))} as files" if subject.files else ""
    rows = "" if subject.files else " Files go to /predict_file."
    raise UnsupportedContent(f"{sent}. Send application/json, or a form{files}.{rows}")


def binary(body: bytes, media: str) -> bool:
    """Whether a body is a file that curl's `--data-binary` called a form; what a form has there is ASCII."""
    return media == multipart.URLENCODED and (b"\0" in body[:64] or not body[:64].isascii())


def media_type(header: str) -> tuple[str, dict[str, str]]:
    """`"Text/CSV; charset=utf-8"` as `("text/csv", {"charset": "utf-8"})`."""
    name, options = parse_options_header(header)
    return name.lower(), options


def form(body: bytes, content_type: str, *, files: bool = False) -> list[tuple[str, Given]]:
    """The fields of a form, as a browser sends it: URL-encoded, or multipart, in which there may be `files`."""
    media, options = media_type(content_type)
    if media != multipart.FORM_DATA:
        return list(pairs(utf8(body)))
    found: list[tuple[str, Given]] = []
    for part in multipart.parts(body, options.get("boundary", "")):
        if part.file is None:
            found.append((part.name, utf8(body[part.start : part.end])))
        elif files:
            content = memoryview(body)[part.start : part.end]
            found.append((part.name, Upload(name=part.name, filename=part.file, content_type=part.type, body=content)))
        else:
            raise BadInput(f"{part.name!r} is a file. Files go to /predict_file.")
    return found


def from_wsgi(text: str) -> str:
    """Text that WSGI gives as Latin-1, and that was UTF-8."""
    return utf8(text.encode("latin-1"))


def utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise NotJSON(f"The text is not UTF-8: byte {error.start} is 0x{text[error.start]:02x}.") from error


def body(environ: Environ, limit: int) -> bytes:
    """The request's whole body, uncompressed. Raises `TooLarge` where it is over `limit` bytes, before reading it."""
    length = environ.get("CONTENT_LENGTH")
    if length:
        data = _sized(environ, length, limit)
    elif environ.get("wsgi.input_terminated"):
        data = _chunked(environ, limit)
    else:
        data = b""
    encoding = environ.get("HTTP_CONTENT_ENCODING")
    return data if encoding is None else inflated(data, encoding, limit)


def _sized(environ: Environ, length: str, limit: int) -> bytes:
    if not (length.isascii() and length.isdecimal()):
        raise NotJSON(f"The Content-Length is {length[:40]!r}, which is no number.")
    size = int(length[:20])
    if size > limit:
        raise TooLarge(f"The body has {size} bytes, and {limit} are read at most. Raise 'max_body' or send less.")
    data: bytes = environ["wsgi.input"].read(size)
    while len(data) < size:
        more = environ["wsgi.input"].read(size - len(data))
        if not more:
            raise NotJSON(f"The body ended after {len(data)} of {size} bytes.")
        data += more
    return data


def _chunked(environ: Environ, limit: int) -> bytes:
    """A body whose length is known only at its end."""
    parts, size = [], 0
    while part := environ["wsgi.input"].read(min(2**20, limit + 1 - size)):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise TooLarge(f"The body has more bytes than the {limit} that are read. Raise 'max_body' or send less.")
    return b"".join(parts)


def inflated(data: bytes, encoding: str, limit: int) -> bytes:
    """`data` without its `Content-Encoding`: gzip or deflate, which is zlib. Never more than `limit` bytes."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return data
    if name not in ("gzip", "x-gzip", "deflate"):
        raise UnsupportedContent(f"The content encoding is {encoding[:40]!r}. Send gzip, deflate, or none.")
    try:
        found = (_unzlib if name == "deflate" else _ungzip)(data, limit + 1)
    except EOFError as error:
        raise NotJSON(f"The body ends in the middle of its {name}.") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise NotJSON(f"The body is not {name}: {error}.") from error
    if len(found) > limit:
        raise TooLarge(f"The body unpacks to more than the {limit} bytes that are read.")
    return found


def _ungzip(data: bytes, most: int) -> bytes:
    """The first `most` bytes of what is packed, in one member or several. Raises `EOFError` where it is cut off."""
    return gzip.GzipFile(fileobj=io.BytesIO(data)).read(most)


def _unzlib(data: bytes, most: int) -> bytes:
    """The first `most` bytes of what is packed. Raises `EOFError` where it is cut off."""
    inflate = zlib.decompressobj()
    found = inflate.decompress(data, most)
    if not inflate.eof and len(found) < most:
        raise EOFError
    return found
