"""A table of words and figures, as Markdown, as LaTeX with booktabs, and as plain text for a terminal."""

import re
from collections.abc import Iterable, Sequence

from qssl_tf.evaluation.statistics import Summary
from qssl_tf.markup import printable

# Signs that LaTeX takes for something else -> how it is told to print them.
LATEX_SIGNS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": "$<$", ">": "$>$",
}  # fmt: skip
SIGNED = re.compile(r"(?<![\w.])[+-](?=\d)")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table without its empty columns; [] if nothing is left."""
    columns = _filled(head, rows)
    if not columns:
        return []
    header, *body = zip(*columns, strict=True)
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in body)]


def aligned(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table for a terminal, without its empty columns."""
    columns = []
    for number, column in enumerate(_filled(head, [[printable(cell) for cell in row] for row in rows])):
        width = max(map(len, column))
        columns.append([cell.ljust(width) if number == 0 else cell.rjust(width) for cell in column])
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def latex(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a `tabular` in the style of the package booktabs, without empty columns."""
    columns = [[latex_text(cell) for cell in column] for column in _filled(head, rows)]
    header, *body = (f"{' & '.join(row)} \\\\" for row in zip(*columns, strict=True))
    return [
        rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
        r"\toprule", header, r"\midrule", *body, r"\bottomrule",
        r"\end{tabular}",
    ]  # fmt: skip


def latex_text(text: str) -> str:
    """Return words and figures as LaTeX prints them: every sign as it is, a minus as long as a plus."""
    parts = SIGNED.split(printable(text))
    signs = [f"${sign}$" for sign in SIGNED.findall(printable(text))]
    escaped = ["".join(LATEX_SIGNS.get(letter, letter) for letter in part) for part in parts]
    return "".join(part + sign for part, sign in zip(escaped, [*signs, ""], strict=True))


def _filled(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    return [column for column in zip(head, *rows, strict=True) if set(column[1:]) - {"", "-"}]


def spread(values: Summary) -> str:
    """Return a mean and its sample standard deviation, as in 46.51 ± 1.50."""
    return f"{values.mean:.2f}" if values.sd is None else f"{values.mean:.2f} ± {values.sd:.2f}"


def interval(values: Summary) -> str:
    """Return Student's 95 % interval of a mean, as in 44.9 to 48.1."""
    return "-" if values.interval is None else "{:.1f} to {:.1f}".format(*values.interval)


def p_value(value: float | None) -> str:
    """Return a p value with three digits, as in .005."""
    if value is None:
        return "-"
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
