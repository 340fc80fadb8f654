"""What a file or a folder that is no model seems to be, for the message that refuses it."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAGIC = (
    (b"\x93NUMPY", "is a NumPy array (.npy), and no model"),
    (b"PAR1", "is a Parquet table: give it as --sample"),
    (b"GGUF", "is a GGUF language model, which is not served"),
    (b"%PDF", "is a PDF document"),
    (b"\x89PNG", "is a PNG image"),
    (b"\xff\xd8\xff", "is a JPEG image"),
    (b"\x7fELF", "is a compiled program"),
    (b"Rar!", "is a RAR archive: unpack it"),
    (b"7z\xbc\xaf", "is a 7z archive: unpack it"),
    (b"SQLite format 3", "is an SQLite database"),
    (b"RDX", "is an R data file"),
    (b"X\n\x00\x00", "is an R data file"),
    (b"ARROW1", "is an Arrow table: give it as --sample"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself: run git lfs pull"),
)
TEXTS = (
    (rb"\s*<(!doctype html|html|head|body)", "is an HTML page: the download gave a page in place of the file"),
    (rb"\s*(<\?xml[^>]*>\s*)?<(\w+:)?PMML", "is PMML, which is not served"),
    (rb"\s*<\?xml|\s*<Error>", "is XML: the download may have given an error in place of the file"),
    (rb"\s*\{\s*\"(cells|metadata|nbformat)\"", "is a Jupyter notebook: save the model in it with joblib.dump"),
    (rb"\s*[\[{]", "is JSON, and no model that is known"),
    (rb"(.*\n){0,40}?(import|from) \w|(.*\n){0,40}?(def|class) \w", "is Python source"),
)

FOLDERS = (  # of which one file tells
    (
        r"adapter_config\.json",
        "holds an adapter (PEFT) without its network: load both with peft, then merge_and_unload() and save_pretrained",
    ),
    (r"model_index\.json", "is a pipeline of diffusers, which is not served"),
    (r".*\.gguf", "holds a GGUF language model, which is not served: its safetensors are"),
    (r"(.*\.)?onnx", "holds an ONNX model: name the .onnx file itself, or the folder with its safetensors"),
    (
        r"tf_model\.h5|flax_model\.msgpack|rust_model\.ot",
        "holds weights of TensorFlow, Flax or Rust alone: save it with save_pretrained of transformers on torch",
    ),
    (
        r"(tokenizer|preprocessor|generation)_config\.json",
        "is a Hugging Face folder without weights: put its model.safetensors there",
    ),
)


def folder(names: Iterable[str]) -> str:
    """A verb phrase on a folder with these names in it, "" where they tell nothing."""
    whole = sorted(names)
    return next((told for pattern, told in FOLDERS if any(re.fullmatch(pattern, each) for each in whole)), "")


def seems(head: bytes) -> str:
    """A verb phrase on a file that begins with `head`."""
    for magic, phrase in MAGIC:
        if head.startswith(magic):
            return phrase
    if head[257:262] == b"ustar":
        return "is a tar archive: unpack it"
    if head[4:8] == b"TFL3":
        return "is a TensorFlow Lite model, which is not served"
    text = _text(head)
    if text is None:
        return f"begins with {head[:8]!r}, which no known model format does"
    for pattern, phrase in TEXTS:
        if re.match(pattern, text, re.IGNORECASE):
            return phrase
    return _table(text)


def _text(head: bytes) -> bytes | None:
    """The text that this is the beginning of, as UTF-8, None for binary."""
    if b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    for encoding in ("utf-8-sig", "utf-16"):
        try:
            return head.decode(encoding).encode()
        except UnicodeDecodeError as error:
            if encoding == "utf-8-sig" and error.start > len(head) - 4 and len(head) > 64:
                return head[: error.start]  # cut within a letter
    return None


def _table(text: bytes) -> str:
    lines = [line for line in text[:4000].splitlines() if line][:10]
    whole = lines[:-1] if len(lines) > 1 and len(text) > 4000 else lines  # the last one may be cut off
    for delimiter in (b",", b";", b"\t"):
        counts = {line.count(delimiter) for line in whole}
        if len(counts) == 1 and counts.pop():
            return "is a table (CSV): give the model first, and this as --sample"
    return f"is a text that begins with {text[:40].decode(errors='replace')!r}"
