"""Names in tables: what OWASP calls dangerous begins no cell, and pandas gets each name back."""

import csv
import io

import pandas as pd
import pytest

from qssl_tf.files.spreadsheet import cell, csv_text

# First characters by OWASP's page "CSV Injection" and by ASVS 1.2.10.
DANGEROUS = '=cmd|"/c calc"!A1', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "＝1", "＋1", "－1", "＠A"
PLAIN = "cat", "1+1", "a=b", " =1", "-1", "+2.5", "-1e-3", "é", "", "C++"
MARKED = "'", "'tis", "'=1+1"


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_formula_becomes_text(name):
    assert cell(name) == "'" + name


@pytest.mark.parametrize("name", PLAIN)
def test_other_names_and_numbers_stay_as_they_are(name):
    assert cell(name) == name


def test_two_names_never_become_one_and_come_back():
    names = [*DANGEROUS, *PLAIN, *MARKED, "a\r=1+1", "a\n=1+1", 'a",=1+1']
    assert len({cell(name) for name in names}) == len(names)
    text = csv_text(["class", "number"], [[cell(name), str(number)] for number, name in enumerate(names)])
    for table in (  # pandas's parser in C ends a text at a NUL, Python's does not
        pd.read_csv(io.StringIO(text, newline=""), dtype=str, keep_default_na=False, engine="python"),
        pd.DataFrame(csv.DictReader(io.StringIO(text, newline=""))),
    ):
        assert table["number"].tolist() == [str(number) for number in range(len(names))]
        assert table["class"].str.replace("^'", "", regex=True).tolist() == names
    common = [name for name in names if "\0" not in name]
    text = csv_text(["class"], [[cell(name)] for name in common])
    read = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, skip_blank_lines=False)["class"]
    assert read.str.replace("^'", "", regex=True).tolist() == common
