"""Tables: every sign of a name comes out as it went in, columns stand where they stood."""

import re

import pytest

from qssl_tf.comparison.table import LATEX_SIGNS, aligned, latex, latex_text, p_value
from qssl_tf.markup import printable

HEAD = ["arm", "accuracy (%)", "nothing", "95 %"]
ROWS = [["ring_100 & more", "45.24 ± 1.74", "-", "-5.2 to +0.0"], ["no_head", "47.1", "-", "-"]]


def test_latex_has_the_rules_of_booktabs_and_as_many_cells_in_each_line():
    lines = latex(HEAD, ROWS)
    assert lines[0] == r"\begin{tabular}{lrr}" and lines[-1] == r"\end{tabular}"
    assert [line for line in lines if re.fullmatch(r"\\(top|mid|bottom)rule", line)] == [
        r"\toprule", r"\midrule", r"\bottomrule",
    ]  # fmt: skip
    body = [line for line in lines if line.endswith(r"\\")]
    assert len(body) == 3 and all(len(re.findall(r"(?<!\\)&", line)) == 2 for line in body)
    assert body[1] == r"ring\_100 \& more & 45.24 $\pm$ 1.74 & $-$5.2 to $+$0.0 \\"


@pytest.mark.parametrize(
    "text", ["a_b", "50 %", "x^2 ~ {y}", "\\input{/etc/passwd}", "#1 $5 & <6>", "head=mlp, layers=3"]
)
def test_names_are_printed_and_never_run(text):
    """Read back by undoing each sign's replacement: nothing else is left that LaTeX would take for a command."""
    back, rest = latex_text(text), ""
    signs = {told: sign for sign, told in LATEX_SIGNS.items()}
    while back:
        told = next((one for one in sorted(signs, key=len, reverse=True) if back.startswith(one)), back[0])
        rest += signs.get(told, told)
        assert told in signs or told not in LATEX_SIGNS, f"{told} is not escaped"
        back = back[len(told) :]
    assert rest == text


def test_a_terminal_sees_columns_below_each_other():
    lines = aligned(HEAD, [["a\nb", "1.0", "-", "2"], ROWS[1]])
    assert lines[0].split() == ["arm", "accuracy", "(%)", "95", "%"] and len(lines) == 3
    assert lines[1].startswith(printable("a\nb")) and lines[1].index("1.0") + 3 == lines[0].index("(%)") + 3


def test_p_values_have_three_digits():
    assert [p_value(p) for p in (None, 0.0004, 0.0314, 1.0)] == ["-", "< .001", ".031", "1.000"]
