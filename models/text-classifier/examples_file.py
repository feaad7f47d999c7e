"""Reads the user's file of examples: CSV, TSV or JSON lines. What is wrong with it is told in a sentence."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_ROWS = 100_000
MAX_LABELS = 1_000
MAX_BYTES = 100_000_000
DELIMITERS = {",": "CSV", "\t": "TSV", ";": "CSV with semicolons"}
WANTED = "give CSV or TSV with a line of column names, or JSON lines, in UTF-8"
SHOWN = 10
"""Names listed in an error; the rest is counted."""

SURROGATE = re.compile("[\ud800-\udfff]")

csv.field_size_limit(10_000_000)


@dataclass(frozen=True)
class Examples:
    """Texts and their labels, side by side."""

    texts: list[str]
    labels: list[str]


def read_examples(path: Path, text_column: str, label_column: str) -> Examples:
    """The file's rows, checked. Raises `ValueError` with a sentence for the caller."""
    if text_column == label_column:
        raise ValueError(f"text_column and label_column are both {text_column!r}; name two columns.")
    content = _read(path)
    if content.lstrip().startswith("["):
        raise ValueError("The file holds a JSON array; give JSON lines: one object a line, without brackets around.")
    read = _json_rows if content.lstrip().startswith("{") else _table_rows
    texts: list[str] = []
    labels: list[str] = []
    for line, text, label in read(content, text_column, label_column):
        for column, value in ((text_column, text), (label_column, label)):
            if not value.strip():
                raise ValueError(f"Line {line} has nothing in the column {column!r}; fill it in or drop the line.")
        if len(texts) == MAX_ROWS:
            raise ValueError(f"The file has more than {MAX_ROWS:,} rows, the most that can be trained on; shorten it.")
        texts.append(text)
        labels.append(label.strip())
    _check_labels(labels, label_column)
    return Examples(texts, labels)


def _read(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"The file is larger than {MAX_BYTES:,} bytes, the most that can be trained on; shorten it.")
    raw = path.read_bytes()
    if not raw.strip():
        raise ValueError(f"The file is empty; {WANTED}.")
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"The file is not UTF-8 text (byte {error.start}); {WANTED}.") from None
    if "\0" in content:
        raise ValueError(f"The file is not text: it holds zero bytes; {WANTED}.")
    return content


def _table_rows(content: str, text_column: str, label_column: str) -> Iterator[tuple[int, str, str]]:
    """Line number, text and label of each row of CSV or TSV."""
    header_line = next(line for line in io.StringIO(content, newline=None) if line.strip())
    headers = {delimiter: _header(header_line, delimiter) for delimiter in DELIMITERS}
    wanted = {text_column, label_column}
    delimiter = max(DELIMITERS, key=lambda one: (len(wanted & set(headers[one])), len(headers[one])))
    header = headers[delimiter]
    _check_columns(header, text_column, label_column, f"The file, read as {DELIMITERS[delimiter]},")
    at_text, at_label = header.index(text_column), header.index(label_column)
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    is_header = True
    begin = 1
    try:
        for row in rows:
            line, begin = begin, rows.line_num + 1
            if not any(field.strip() for field in row):
                continue
            if is_header:
                is_header = False
                continue
            if len(row) != len(header):
                raise ValueError(
                    f"Line {line} has {len(row)} fields where the first line names {len(header)} columns; put texts "
                    "that hold the separator or a line end in double quotes."
                )
            yield line, row[at_text], row[at_label]
    except csv.Error as error:
        raise ValueError(
            f"The file is not valid {DELIMITERS[delimiter]}: line {begin}: {error}; a quote within a quoted text is "
            "written twice."
        ) from None


def _header(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:
        return [line]


def _json_rows(content: str, text_column: str, label_column: str) -> Iterator[tuple[int, str, str]]:
    """Line number, text and label of each object of JSON lines."""
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Line {number} is not valid JSON: {error}; {WANTED}.") from None
        if not isinstance(value, dict):
            raise ValueError(f"Line {number} is not a JSON object; write each row as one, with a text and a label.")
        _check_columns(list(value), text_column, label_column, f"Line {number}")
        text, label = value[text_column], value[label_column]
        if not isinstance(text, str):
            raise ValueError(f"Line {number}: {text_column!r} is not a string.")
        if not isinstance(label, str | int):
            raise ValueError(f"Line {number}: {label_column!r} is neither a string nor a whole number.")
        if not isinstance(label, str):
            label = json.dumps(label)
        if SURROGATE.search(text) or SURROGATE.search(label):
            raise ValueError(f"Line {number} holds half of a character (an escape from \\ud800 to \\udfff alone).")
        yield number, text, label


def _check_columns(found: list[str], text_column: str, label_column: str, what: str) -> None:
    for column, name in ((text_column, "text_column"), (label_column, "label_column")):
        if column not in found:
            raise ValueError(f"{what} has no column {column!r}; it has {_listed(found)}. Set {name}.")


def _check_labels(labels: list[str], label_column: str) -> None:
    counts = Counter(labels)
    if not labels:
        raise ValueError(f"The file has column names and no rows; {WANTED}.")
    single = sorted(label for label, count in counts.items() if count == 1)
    if single:
        raise ValueError(f"Each label needs two rows or more; only one has {_listed(single)}. Does label_column fit?")
    if len(counts) == 1:
        raise ValueError(f"All rows have the label {labels[0]!r}; a classifier needs two labels or more.")
    if len(counts) > MAX_LABELS:
        raise ValueError(f"The column {label_column!r} holds {len(counts):,} labels; the most is {MAX_LABELS:,}.")


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name if len(name) <= 40 else name[:39] + "…") for name in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
