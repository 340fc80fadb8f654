"""A block of plain delimited text as columns, without a Python object for each cell.

    Cells(b"25,1,0.5\\n31,0,12\\n", columns=3, delimiter=b",", decimal=b".")
    cells.decimals(2)   -> Decimals(mantissa=[5, 12], places=[1, 0], …)   0.5 and 12

Numbers are read eight digits at a time from 64-bit words (D. Lemire, "Quickly parsing eight digits", 2018, here for
whole columns). A value of at most 2**53 without its point, divided by a power of ten up to 10**22, is correctly
rounded, as both are exact doubles (W. Clinger, "How to read floating point numbers accurately", 1990). Longer ones, up
to 2**63, are divided as long doubles, where that type has 64 bits or more: rounding twice is rounding once unless the
first result lies half-way between two doubles. What is not of these forms is left to `float()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flaskship.schema import Array

PAD = 24  # bytes before the text, so that the words before its first byte can be read
WIDEST = 18  # digits on either side of the point: 10**18 fits an int64
LARGEST = 8.2e18  # of what is before the point, moved: with what is after it, below 2**63
EXACT = 2**53
LONG = np.finfo(np.longdouble).nmant >= 63
NEWLINE, MINUS, PLUS = b"\n-+"
ALL = slice(None)
U64 = np.uint64
_KEPT = np.array([0, *((2**64 - 1) ^ (2 ** (64 - 8 * width) - 1) for width in range(1, 9))], dtype=U64)
_TENS = 10 ** np.arange(WIDEST + 1, dtype=np.int64)
_POWERS = _TENS.astype(np.float64)
_LONG_POWERS = _TENS.astype(np.longdouble)


class Ragged(ValueError):
    """Not every line has as many cells as there are columns."""


@dataclass(frozen=True, slots=True)
class Decimals:
    """A column of decimal numbers, mantissa / 10**places, where `plain`; negative where `negative`."""

    mantissa: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64] | None  # None where all are whole
    negative: npt.NDArray[np.bool_] | None  # None where none is
    plain: npt.NDArray[np.bool_]  # False where the cell is not of this form
    empty: npt.NDArray[np.bool_]

    def floats(self) -> tuple[Array, Array]:
        """float64, as `float()` of each cell, where that is known."""
        values = self.mantissa.astype(np.float64)
        known = self.plain
        if self.places is not None:
            values /= _POWERS[self.places]
            long = np.flatnonzero((self.mantissa > EXACT) & (self.places > 0))
            if len(long):
                values[long], certain = _divided(self.mantissa[long], self.places[long])
                known = known.copy()
                known[long] &= certain
        return (values if self.negative is None else np.where(self.negative, -values, values)), known

    def integers(self) -> tuple[Array, Array]:
        """int64, and where they are whole: 5, 5.0, not 5.5."""
        values = self.mantissa
        whole = self.plain
        if self.places is not None:
            scale = _TENS[self.places]
            values = self.mantissa // scale
            whole = whole & (values * scale == self.mantissa)
        return (values if self.negative is None else np.where(self.negative, -values, values)), whole


def _divided(mantissa: Array, places: Array) -> tuple[Array, Array]:
    """mantissa / 10**places as float64, and where it is certain to be correctly rounded."""
    quotient = mantissa.astype(np.longdouble) / _LONG_POWERS[places]
    values = quotient.astype(np.float64)
    rest = np.abs(quotient - values.astype(np.longdouble))
    certain = 2 * rest.astype(np.float64) != np.spacing(values) if LONG else np.zeros(len(values), bool)
    return values, certain


class Cells:
    """Whole lines of `columns` cells, each line ended by a newline, without quotes and carriage returns."""

    def __init__(self, text: bytes, *, columns: int, delimiter: bytes, decimal: bytes) -> None:
        """Raises `Ragged`."""
        self.text = text
        padded = bytes(PAD) + text
        self._words: npt.NDArray[np.uint64] = np.ndarray(len(padded) - 7, "<u8", padded, 0, (1,))
        self._bytes = np.frombuffer(padded, np.uint8)[PAD:]
        ends, self._points = self._split(delimiter[0], decimal[0])
        if len(ends) % columns:
            raise Ragged
        lines = ends.reshape(-1, columns)[:, -1]
        if text.count(b"\n") != len(lines) or not (self._bytes[lines] == NEWLINE).all():
            raise Ragged
        self.rows = len(lines)
        self._columns = columns
        self._ends = ends
        self._starts = np.empty_like(ends)
        self._starts[0] = 0
        np.add(ends[:-1], 1, out=self._starts[1:])

    def _split(self, delimiter: int, decimal: int) -> tuple[Array, Array | None]:
        """Where each cell ends, and where its point is: at its end if it has none, or more than one."""
        is_end = self._bytes == delimiter
        is_end |= self._bytes == NEWLINE
        if bytes([decimal]) not in self.text:
            return np.flatnonzero(is_end), None
        marks = np.flatnonzero(is_end | (self._bytes == decimal))
        at = np.flatnonzero(is_end[marks])
        ends = marks[at]
        one_point = np.diff(at, prepend=-1) == 2
        return ends, np.where(one_point, marks[at - 1], ends)

    def spans(self, column: int) -> tuple[Array, Array]:
        """Where each cell of the column begins and ends in `text`."""
        return self._starts[column :: self._columns], self._ends[column :: self._columns]

    def bytes_of(self, column: int, rows: Array | slice = ALL) -> list[bytes]:
        """The cells of the column."""
        starts, ends = (each[rows] for each in self.spans(column))
        text = self.text
        return [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def decimals(self, column: int) -> Decimals:
        """The column as decimal numbers, as far as its cells are such."""
        starts, ends = self.spans(column)
        empty = starts == ends
        first = self._bytes[starts]
        negative = first == MINUS
        signed = negative | (first == PLUS)
        if signed.any():
            starts = starts + signed
        points = ends if self._points is None else self._points[column :: self._columns]
        if points is ends or (points == ends).all():
            mantissa, plain = self._digits(ends, ends - starts)
            return Decimals(mantissa, None, negative if negative.any() else None, plain & (starts < ends), empty)
        before, after = points - starts, ends - points - 1
        np.maximum(after, 0, out=after)
        whole, plain = self._digits(points, before)
        part, also_plain = self._digits(ends, after)
        places = np.minimum(after, WIDEST)
        plain &= also_plain & (before + after > 0) & (whole * _POWERS[places] < LARGEST)
        mantissa = whole * _TENS[places] + part
        return Decimals(mantissa, places, negative if negative.any() else None, plain, empty)

    def _digits(self, ends: Array, widths: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The numbers that the `widths` bytes before `ends` spell, and where they are digits, at most `WIDEST`."""
        widest = int(widths.max())
        low, plain = self._eight(ends, widths if widest <= 8 else np.minimum(widths, 8))
        if widest <= 8:
            return low, plain
        high, also_plain = self._eight(ends - 8, np.clip(widths - 8, 0, 8))
        value, plain = high * 10**8 + low, plain & also_plain & (widths <= WIDEST)
        if widest <= 16:
            return value, plain
        top, also_plain = self._eight(ends - 16, np.clip(widths - 16, 0, 8))
        return top * 10**16 + value, plain & also_plain

    def _eight(self, ends: Array, widths: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        word = self._words[ends + (PAD - 8)]
        word ^= U64(0x3030303030303030)
        word &= _KEPT[widths]
        wrong = word + U64(0x7676767676767676)  # sets the high bit of each byte above 9
        wrong |= word
        wrong &= U64(0x8080808080808080)
        word *= U64(10 * 2**8 + 1)
        word >>= U64(8)
        word &= U64(0x00FF00FF00FF00FF)
        word *= U64(100 * 2**16 + 1)
        word >>= U64(16)
        word &= U64(0x0000FFFF0000FFFF)
        word *= U64(10_000 * 2**32 + 1)
        word >>= U64(32)
        found: Any = word.view(np.int64)
        return found, wrong == 0
