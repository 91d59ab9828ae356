import json

import pytest

from qssl_tf.files import replacing, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "kept.json"
    write_json(path, {"kept": 1})
    with pytest.raises(OSError, match="disk"), replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert json.loads(path.read_text()) == {"kept": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.json"]


def test_the_temporary_name_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "a.weights.h5") as temporary:
        assert temporary.name.endswith(".weights.h5")
        temporary.write_bytes(b"x")
    assert (tmp_path / "a.weights.h5").read_bytes() == b"x"
