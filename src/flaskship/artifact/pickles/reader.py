"""The bytes of a pickle: arguments of opcodes, and what lies between them."""

from __future__ import annotations

from io import BufferedReader
from pickletools import UP_TO_NEWLINE

from flaskship.artifact.pickles.opcodes import PREFIXES
from flaskship.artifact.pickles.symbols import Blob, Damaged

KEPT = 4096  # bytes of a long text or bytes object that are kept from each end


class Reader:
    """Reads on in `stream`. Whatever ends too early is `Damaged`; long arguments are noted in `blobs`."""

    def __init__(self, stream: BufferedReader, blobs: list[Blob], *, seekable: bool) -> None:
        self.stream, self._blobs, self._seekable = stream, blobs, seekable

    def exact(self, size: int) -> bytes:
        data = self.stream.read(size)
        if len(data) < size:
            raise Damaged(f"ends within an opcode, {size - len(data)} bytes too early")
        return data

    def variable(self, size: int) -> bytes | Blob:
        """An argument with its length in front of it, or a line, as `size`, one of pickletools' marks, says."""
        if size == UP_TO_NEWLINE:
            return self.line()
        length = int.from_bytes(self.exact(PREFIXES[size]), "little")
        return self.exact(length) if length <= KEPT else self._blob(length)

    def line(self) -> bytes | Blob:
        line = self.stream.readline(KEPT)
        if line.endswith(b"\n"):
            return line[:-1]
        head, size = line, len(line)
        while line and not line.endswith(b"\n"):
            line = self.stream.readline(KEPT)
            size += len(line)
        if not line:
            raise Damaged("ends within a line")
        return Blob(head, line, size)

    def _blob(self, length: int) -> Blob:
        head = self.exact(KEPT)
        self.skip(length - 2 * KEPT)
        blob = Blob(head, self.exact(min(KEPT, length - KEPT)), length)
        self._blobs.append(blob)
        return blob

    def skip(self, size: int) -> None:
        """Passes over `size` bytes; over less than none, it does nothing."""
        if self._seekable and size > KEPT:
            self.stream.seek(size - 1, 1)
            self.exact(1)
            return
        while size > 0:
            size -= len(self.exact(min(size, 1 << 18)))
