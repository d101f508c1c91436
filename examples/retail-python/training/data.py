"""Reads till rows and splits them by basket."""

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from retail.features import Features
from retail.names import CATEGORIES, CLASSES, TARGET
from training.columns import BASKET, HEADER

UNCLASSIFIED = "XX"  # dunnhumby's mark for baskets without a price sensitivity
SPLIT = "by basket: held out when sha256(basket key) mod 4 = 0"  # written next to every figure
HELD_OUT_ONE_IN = 4

Basket = tuple[str, ...]


class DataError(Exception):
    """A file that can't be learnt from; its text says where and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One classified till row."""

    features: Features
    label: str
    basket: Basket


@dataclass
class Table:
    """What a file of till rows holds."""

    rows: list[Row] = field(default_factory=list)  # in the order of the file
    dropped: int = 0  # rows whose target is XX
    digest: str = ""  # of the file's bytes, sha256:<hex>


def read(path: str | Path) -> Table:
    """Read a CSV file with the 22 columns of HEADER.

    It may begin with a byte order mark, and its lines may end in LF or CRLF. Rows
    with the target XX are counted and left out; anything else unexpected is a
    DataError that names line and column.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as trouble:
        raise DataError(f"open data: {trouble} (generate some with `python -m training.generate --out {path}`)") from trouble
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as trouble:
        raise DataError(f"read {path}: byte {trouble.start} is not UTF-8") from trouble
    table = Table(digest="sha256:" + hashlib.sha256(raw).hexdigest())
    try:
        _fill(table, csv.reader(io.StringIO(text, newline=""), strict=True))
    except (DataError, csv.Error) as trouble:
        raise DataError(f"read {path}: {trouble}") from trouble
    return table


def _fill(table: Table, lines: Iterator[list[str]]) -> None:
    header = next(lines, None)
    if header is None:
        raise DataError("the file is empty: expected a header line with 22 columns")
    for i, want in enumerate(HEADER):
        if i >= len(header) or header[i] != want:
            there = header[i] if i < len(header) else "missing"
            raise DataError(f"line 1: column {i + 1} is {there!r}, expected {want} (dunnhumby's 22 columns in their order)")
    for number, record in enumerate(lines, start=2):
        if len(record) != len(HEADER):
            raise DataError(f"line {number}: {len(record)} columns, expected {len(HEADER)} (is the file cut short?)")
        values = dict(zip(HEADER, record, strict=True))
        if values[TARGET] == UNCLASSIFIED:
            table.dropped += 1
            continue
        try:
            table.rows.append(_row(values))
        except DataError as trouble:
            raise DataError(f"line {number}: {trouble}") from trouble


def _row(values: dict[str, str]) -> Row:
    label = values[TARGET]
    if label not in CLASSES:
        raise DataError(f"column {TARGET}: {label!r} is not one of {', '.join(CLASSES)} (or {UNCLASSIFIED})")
    features = Features(
        categories=tuple(values[name] for name in CATEGORIES),
        spend=_amount(values["SPEND"]),
        quantity=float(_count(values["QUANTITY"])),
    )
    return Row(features, label, tuple(values[name] for name in BASKET))


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not (math.isfinite(amount) and amount >= 0):
        raise DataError(f"column SPEND: {text!r} is not an amount of at least 0")
    return amount


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise DataError(f"column QUANTITY: {text!r} is not a whole number of at least 1")
    return int(text)


def held_out(basket: Basket) -> bool:
    """Whether a basket is kept from training and used for measuring: a quarter are.

    It depends on the basket alone, so that all of its rows fall on the same side.
    """
    key = hashlib.sha256("\x1f".join(basket).encode()).digest()
    return int.from_bytes(key[:8], "big") % HELD_OUT_ONE_IN == 0


def divide(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """The rows to learn from, and those to measure on."""
    training: list[Row] = []
    measured: list[Row] = []
    for row in rows:
        (measured if held_out(row.basket) else training).append(row)
    return training, measured


def baskets(rows: Iterable[Row]) -> int:
    """How many distinct baskets there are in rows."""
    return len({row.basket for row in rows})
