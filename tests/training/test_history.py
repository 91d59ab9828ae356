import pytest

from qssl_tf.errors import UserError
from qssl_tf.training.history import COLUMNS, append_history, read_history, start_history


def row(step):
    return dict(zip(COLUMNS, (step, 1, 0.1 + step, 0.5, 0.001, 0.2), strict=True))


def test_rows_are_appended_and_read(tmp_path):
    path = tmp_path / "history.csv"
    start_history(path, 0)
    for step in (1, 2, 3):
        append_history(path, row(step))
    assert [entry["step"] for entry in read_history(path)] == ["1", "2", "3"]
    assert float(read_history(path)[1]["loss"]) == 2.1


def test_a_cut_off_line_and_later_rows_go_on_resume(tmp_path):
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
