import tracemalloc

import pytest

from qssl_tf.errors import UserError
from qssl_tf.training.history import COLUMNS, JUDGES, ROW_BYTES, append_history, read_history, start_history


def row(step):
    return dict(zip(COLUMNS, (step, 1, 0.1 + step, 0.5, 0.001, 0.2), strict=True))


def test_rows_are_appended_and_read(tmp_path):
    path = tmp_path / "history.csv"
    start_history(path, 0)
    for step in (1, 2, 3):
        append_history(path, row(step))
    assert [entry["step"] for entry in read_history(path)] == ["1", "2", "3"]
    assert float(read_history(path)[1]["loss"]) == 2.1


def test_a_truncated_line_and_later_rows_are_dropped_on_resume(tmp_path):
    path = tmp_path / "history.csv"
    start_history(path, 0)
    for step in (1, 2, 3):
        append_history(path, row(step))
    with open(path, "a") as file:
        file.write("4,1,0.")
    start_history(path, 2)
    append_history(path, row(3))
    assert [entry["step"] for entry in read_history(path)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", ",".join(COLUMNS) + "\n1,2\n", ",".join(COLUMNS) + "\nx,1,1,1,1,1\n"]
)
def test_damaged_tables_are_refused(tmp_path, text):
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(UserError, match="restore or remove it"):
        read_history(path)


def test_a_table_beyond_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    path.write_text(",".join(COLUMNS) + "\n" + "0,0,0,0,0,0\n" * 1000)
    assert len(read_history(path)) == 1000
    monkeypatch.setattr("qssl_tf.training.history.available", lambda: 600_000)
    with pytest.raises(UserError, match="has 1000 rows, which take 0.0007 GB of memory, more than is left; restore"):
        read_history(path)


def test_the_estimate_covers_the_memory_of_a_row(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(",".join(COLUMNS) + "\n" + "1,1,5.123456789012345,0.0123456789,0.002,0.123456\n" * 20_000)
    tracemalloc.start()
    rows = read_history(path)
    used_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(rows) == 20_000 and used_bytes < ROW_BYTES * len(rows)


def test_further_columns_are_kept_on_resume_and_read(tmp_path):
    path = tmp_path / "history.csv"
    assert start_history(path, 0, judges=JUDGES[:2]) == (*COLUMNS, *JUDGES[:2])
    append_history(path, row(1) | {"embedding_std": 0.9, "effective_rank": 3.5})
    append_history(path, row(2) | {"embedding_std": 0.8, "effective_rank": 3.0})
    assert start_history(path, 1, judges=JUDGES) == (*COLUMNS, *JUDGES[:2])
    (only,) = read_history(path)
    assert (only["step"], only["effective_rank"]) == ("1", "3.5")


def test_a_run_of_an_earlier_version_goes_on_with_its_own_columns(tmp_path):
    path = tmp_path / "history.csv"
    start_history(path, 0)
    append_history(path, row(1))
    assert start_history(path, 1, judges=JUDGES) == COLUMNS
    assert [entry["step"] for entry in read_history(path)] == ["1"]


@pytest.mark.parametrize("more", ["effective_rank,embedding_std", "embedding_std,embedding_std", "surprise"])
def test_other_further_columns_are_refused(tmp_path, more):
    path = tmp_path / "history.csv"
    path.write_text(",".join(COLUMNS) + f",{more}\n")
    with pytest.raises(UserError, match="is not a history"):
        read_history(path)


def test_the_estimate_covers_the_memory_of_a_long_row(tmp_path):
    path = tmp_path / "history.csv"
    line = "1,1,5.123456789012345,0.0123456789,0.002,0.123456,0.987654321,5.123456789,0.912345678\n"
    path.write_text(",".join((*COLUMNS, *JUDGES)) + "\n" + line * 20_000)
    tracemalloc.start()
    rows = read_history(path)
    used_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(rows) == 20_000 and used_bytes < ROW_BYTES * len(rows) * (len(COLUMNS) + len(JUDGES)) / len(COLUMNS)
