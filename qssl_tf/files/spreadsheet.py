"""Tables (CSV) that a spreadsheet may open: names that users or strangers chose are never run as formulas."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

# What makes a spreadsheet take a cell for a formula, as OWASP lists it: ASVS 1.2.10 and the page "CSV Injection".
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
MARK = "'"
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def cell(name: str) -> str:
    """Return a name as a cell of a table: with an apostrophe in front where a spreadsheet would run it as a formula.

    `=1+1` becomes `'=1+1`, which spreadsheets show as text. Numbers such as `-1` and all other names stay as they are.
    A name that begins with an apostrophe gets another, so the names come back by taking one apostrophe off the front.
    """
    if name.startswith(MARK) or (name.startswith(STARTS) and not NUMBER.fullmatch(name)):
        return MARK + name
    return name


def csv_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as text, its lines ended by CR and LF (RFC 4180).

    Python quotes a cell with a part of the line's end in it: a name with a CR alone would else begin a row, and there
    a formula.

    Args:
        head: Names of the columns.
        rows: Cells; names of others made by `cell`.
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([head, *rows])
    return text.getvalue()
