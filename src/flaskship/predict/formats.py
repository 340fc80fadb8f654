"""Which format a table's file has."""

from __future__ import annotations

from pathlib import Path

ENDINGS = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".xlsx", ".xls", ".xlsb", ".ods", ".xlsm"), "excel"),
}


def format_of(name: str | Path, start: bytes = b"") -> str:
    """The format of a file by its first bytes, else by the ending of its name, else CSV."""
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "excel"
    ending = ENDINGS.get(Path(name).suffix.lower(), "")
    if ending and (ending != "excel" or not start):  # text under the name of a spreadsheet is common
        return ending
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "jsonl" if text.startswith((b"{", b"[{", b"[\n", b"[ ", b"[\r")) else "csv"
