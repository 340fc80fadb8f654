"""A block of plain delimited text as columns, without a Python object for each cell.

    Cells(b"25,1,0.5\\n31,0,12\\n", columns=3, delimiter=b",", decimal=b".")
    cells.decimals(2)   -> Decimals(mantissa=[5, 12], places=[1, 0], …)   0.5 and 12

Numbers of more than four digits are read eight at a time from 64-bit words (D. Lemire, "Quickly parsing eight digits",
2018, here for whole columns). A value of at most 2**53 without its point, divided by a power of ten up to 10**22, is
correctly rounded, as both are exact doubles (W. Clinger, "How to read floating point numbers accurately", 1990). Longer
ones, up to 2**63, are divided as long doubles, where that type has 64 bits or more: rounding twice is rounding once
unless the first result lies half-way between two doubles. What is not of these forms is left to `float()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flaskship.schema import Array

PAD = 25  # bytes before the text, the last a newline, so that the words before its first byte can be read
FEW = 4  # digits: so many are read one by one, more as words
WIDEST = 18  # digits on either side of the point: 10**18 fits an int64
LARGEST = 8.2e18  # of what is before the point, moved: with what is after it, below 2**63
EXACT = 2**53
LONG = np.finfo(np.longdouble).nmant >= 63
NEWLINE, MINUS, PLUS, ZERO = b"\n-+0"
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
    """Whole lines of `columns` cells, each line ended by a newline, without quotes and carriage returns.

    Places are those after a mark, which are one more than the mark's own: a cell is text[begin : stop - 1].
    """

    def __init__(self, text: bytes, *, columns: int, delimiter: bytes, decimal: bytes) -> None:
        """Raises `Ragged`."""
        self.text = text
        padded = bytes(PAD - 1) + b"\n" + text
        self._words: npt.NDArray[np.uint64] = np.ndarray(len(padded) - 7, "<u8", padded, 0, (1,))
        self._bytes = np.frombuffer(padded, np.uint8)
        marks = self._bytes[PAD - 1 :]
        newline = marks == NEWLINE
        self._bounds, self._points = self._split(newline | (marks == delimiter[0]), decimal)
        self.rows, rest = divmod(len(self._bounds) - 1, columns)
        self._columns = columns
        if rest or np.count_nonzero(newline) != self.rows + 1 or not newline[self._bounds[::columns]].all():
            raise Ragged
        self._signed = b"-" in text or b"+" in text

    def _split(self, is_end: Array, decimal: bytes) -> tuple[Array, Array | None]:
        """Where cells begin and stop, and where the point of each is: where it stops if it has none, or several."""
        if decimal not in self.text:
            return np.flatnonzero(is_end), None
        marks = np.flatnonzero(is_end | (self._bytes[PAD - 1 :] == decimal[0]))
        at = np.flatnonzero(is_end[marks])
        bounds = marks[at]
        return bounds, np.where(np.diff(at) == 2, marks[at[1:] - 1], bounds[1:])

    def spans(self, column: int) -> tuple[Array, Array]:
        """Where each cell of the column begins and stops."""
        bounds = self._bounds
        return bounds[column : -1 : self._columns], np.ascontiguousarray(bounds[column + 1 :: self._columns])

    def bytes_of(self, column: int, rows: Array | slice = ALL) -> list[bytes]:
        """The cells of the column."""
        begins, stops = (each[rows].tolist() for each in self.spans(column))
        text = self.text
        return [text[begin : stop - 1] for begin, stop in zip(begins, stops, strict=True)]

    def decimals(self, column: int) -> Decimals:
        """The column as decimal numbers, as far as its cells are such."""
        begins, stops = self.spans(column)
        widths = stops - begins
        widths -= 1
        empty = widths == 0
        negative = None
        if self._signed:
            first = self._bytes[PAD:][begins]
            negative = first == MINUS
            widths -= negative | (first == PLUS)
        points = None if self._points is None else self._points[column :: self._columns]
        if points is None or (points == stops).all():
            mantissa, plain = self._digits(stops, widths)
            return Decimals(mantissa, None, negative, plain & (widths > 0), empty)
        tail = stops - points  # the point and what is after it
        after = np.maximum(tail - 1, 0)
        whole, plain = self._digits(points, widths - tail)
        part, also_plain = self._digits(stops, after)
        places = np.minimum(after, WIDEST)
        plain &= also_plain & (widths > (tail > 0)) & (whole * _POWERS[places] < LARGEST)
        mantissa = whole * _TENS[places] + part
        return Decimals(mantissa, places, negative, plain, empty)

    def _digits(self, stops: Array, widths: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The numbers that `widths` bytes before a mark spell, and where they are digits, at most `WIDEST`."""
        widest = int(widths.max(initial=0))
        if widest <= FEW:
            return self._few(stops, widths, widest)
        low, plain = self._eight(stops, widths, 0)
        if widest <= 8:
            return low, plain
        high, also_plain = self._eight(stops, widths, 8)
        value, plain = high * 10**8 + low, plain & also_plain & (widths <= WIDEST)
        if widest <= 16:
            return value, plain
        top, also_plain = self._eight(stops, widths, 16)
        return top * 10**16 + value, plain & also_plain

    def _few(self, stops: Array, widths: Array, widest: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Digit by digit: NumPy gathers bytes six times as fast as words at any place."""
        value = np.zeros(len(stops), np.uint16)
        plain = np.ones(len(stops), np.bool_)
        narrowest = int(widths.min(initial=widest))
        for place in range(widest, 0, -1):
            digit = self._bytes[PAD - 1 - place :][stops] ^ np.uint8(ZERO)
            if place > narrowest:
                digit *= widths >= place
            plain &= digit < 10
            value *= np.uint16(10)
            value += digit
        return value.astype(np.int64), plain

    def _eight(self, stops: Array, widths: Array, after: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Up to eight digits, of which the last is `after` places before that at the mark."""
        word = self._words[PAD - 9 - after :][stops]
        word ^= U64(0x0101010101010101 * ZERO)
        word &= _KEPT[np.clip(widths - after, 0, 8)]
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
