import json

import pytest

from qssl_tf.files import write
from qssl_tf.files.write import first_free, making, replacing, sweep, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "kept.json"
    write_json(path, {"kept": 1})
    with pytest.raises(OSError, match="disk"), replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert json.loads(path.read_text()) == {"kept": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.json"]


def test_only_what_was_half_written_is_swept(tmp_path):
    (tmp_path / "a").mkdir()
    names = [".0123abcd-state.npz", ".state.npz", ".0123abcg-state.npz", "state.npz", ".run.lock", "a/.0123abcd-x.json"]
    for name in names:
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        names[1:]
    )


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(ValueError, match="stopped"), making(tmp_path / "run") as begun:
        (begun / "part").touch()
        raise ValueError("stopped")
    assert not list(tmp_path.iterdir())
    with making(tmp_path / "run") as begun:
        (begun / "part").touch()
        assert not (tmp_path / "run").exists()
    with pytest.raises(FileExistsError) as caught, making(tmp_path / "run"):
        pass
    assert caught.value.filename == str(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"] and (tmp_path / "run" / "part").exists()


def test_the_temporary_name_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "a.weights.h5") as temporary:
        assert temporary.name.endswith(".weights.h5")
        temporary.write_bytes(b"x")
    assert (tmp_path / "a.weights.h5").read_bytes() == b"x"


def test_a_file_in_the_place_of_the_folder_of_folders_is_an_error_and_no_taken_name(tmp_path):
    (tmp_path / "runs").write_text("")
    for folder in (tmp_path / "runs" / "one", tmp_path / "runs" / "deep" / "one"):
        with pytest.raises(NotADirectoryError), making(folder):
            pass
        with pytest.raises(NotADirectoryError):
            first_free(folder, lambda path: making(path).__enter__())


@pytest.mark.parametrize("opened", [False, True])
def test_a_new_folder_that_is_swept_before_it_is_held_is_made_again(tmp_path, monkeypatch, opened):
    """Another process looks for what killed ones left between the making of a folder and its lock."""
    hold, swept = write._hold, []

    def late(folder, wait):
        if swept:
            return hold(folder, wait)
        swept.append(folder)
        handle = hold(folder, wait) if opened else None
        folder.rmdir()
        return handle

    monkeypatch.setattr(write, "_hold", late)
    with write.making(tmp_path / "new") as unfinished:
        (unfinished / "file").write_text("kept")
    assert len(swept) == 1 and unfinished != swept[0] and (tmp_path / "new" / "file").read_text() == "kept"
