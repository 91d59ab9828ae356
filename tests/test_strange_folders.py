"""Folders of strangers on every route that opens one: nothing of this machine goes out, nothing hangs or is huge."""

import dataclasses
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.device.manage import chosen
from qssl_tf.files.checksums import SUMS, check_sums, write_sums
from qssl_tf.files.links import check_own_files, point_latest
from qssl_tf.files.lock import locked
from qssl_tf.files.write import append_text
from qssl_tf.reports import figures as run_figures
from qssl_tf.reports.report import write_page
from qssl_tf.search.plan import Plan, read_plan, write_plan
from qssl_tf.search.space import Range
from qssl_tf.sharing.folder import share
from qssl_tf.training.runs import WEIGHTS, create_run, newest_run, open_run

SECRET = b"token=0123456789abcdef0123456789abcdef\n"
SECONDS = 60  # until something that hangs is called so


@pytest.fixture
def folder(tmp_path):
    """The ready digits as somebody's folder without checksums."""
    shutil.copytree(WEIGHTS / "digits-ring", tmp_path / "run", ignore=shutil.ignore_patterns(SUMS))
    return tmp_path / "run"


@pytest.fixture
def shared(tmp_path):
    """The ready digits as they were shared."""
    shutil.copytree(WEIGHTS / "digits-ring", tmp_path / "shared")
    return tmp_path / "shared"


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "account.json"
    path.write_bytes(SECRET)
    return path


@pytest.fixture(autouse=True)
def alarm():
    """End a test that hangs."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)


# Who opens a folder -> how.
ROUTES = {
    "load_run": q.load_run,
    "linear_probe": q.linear_probe,
    "resume": q.resume,
    "write_report": q.write_report,
    "draw_run": q.draw_run,
    "run_on_device": lambda folder: q.run_on_device(folder, "aer", images=2, shots=10),
    "share": lambda folder: share(open_run(folder), folder.with_name("out"), licence="x"),
}
PLACES = ("history.csv", "figures/loss.png", "checkpoints/step-000500.weights.h5", "config.json", "ibmq/latest", "note")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", PLACES)
def test_links_are_refused_wherever_they_lie(folder, secret, route, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(secret)
    with pytest.raises(q.UserError) as error:
        ROUTES[route](folder)
    assert str(error.value) == (
        f"{path} is a link to another place; such a folder must hold its own files: put the file itself there."
    )
    assert secret.read_bytes() == SECRET
    assert {entry.name for entry in folder.parent.iterdir()} == {"run", "account.json"}


@pytest.mark.parametrize("command", ["share", "report"])
def test_commands_give_nothing_of_this_machine_away(folder, secret, here, command, tmp_path):
    (folder / "figures").mkdir()
    (folder / "figures" / "views.png").symlink_to(secret)
    words = ["--output", tmp_path / "out"] if command == "share" else []
    done = here("-m", "qssl_tf", command, folder, *words)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "is a link to another place" in done.stderr
    assert not (tmp_path / "out").exists() and not (folder / "report.html").exists()


def test_what_is_no_picture_is_not_shown(folder, secret):
    """A copy or a hard link in a picture's place, which no look at the kind of file can tell."""
    (folder / "figures").mkdir()
    os.link(secret, folder / "figures" / "loss.png")
    with pytest.raises(q.UserError, match=r"loss\.png cannot be shown \(it is no PNG file\); remove it, and draw"):
        write_page(q.load_run(folder), {})
    assert not (folder / "report.html").exists()
    with pytest.raises(q.UserError, match=r"loss\.png cannot be shared \(it is no PNG file\); remove it\."):
        share(q.load_run(folder), folder.with_name("out"), licence="x")
    (folder / "figures" / "loss.png").rename(folder / "history.csv")
    with pytest.raises(q.UserError, match=r"history\.csv is not a history"):
        share(q.load_run(folder), folder.with_name("out"), licence="x")
    assert not folder.with_name("out").exists()


def test_the_newest_device_run_is_a_sibling(folder):
    devices = folder / "ibmq"
    (devices / "one").mkdir(parents=True)
    (devices / "one" / "record.json").write_text("{}")
    point_latest(devices / "one")
    check_own_files(folder)
    for target in ("../..", "..", ".", "../../elsewhere", str(folder), "one/../one", "latest"):
        (devices / "latest").unlink()
        (devices / "latest").symlink_to(target)
        with pytest.raises(q.UserError, match="latest is a link to another place"):
            open_run(folder)
        with pytest.raises(q.UserError):
            chosen(devices, "")


@pytest.mark.parametrize("target", ["..", "../runs2/run", "a/b"])
def test_the_newest_run_is_a_sibling(tmp_path, target):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(target)
    (tmp_path / "runs2" / "run").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "b").mkdir(parents=True)
    with pytest.raises(q.UserError, match="points out of its folder"):
        newest_run(tmp_path / "runs")


def test_a_search_holds_its_own_files(tmp_path, secret):
    plan = Plan(q.Config(validation_fraction=0.2), {"jitter": Range(0.2, 1.6)}, "random", 5, "loss", 0)
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan
    (tmp_path / "trials" / "trial-0000").mkdir(parents=True)
    (tmp_path / "trials" / "trial-0000" / "failure.txt").symlink_to(secret)
    with pytest.raises(q.UserError, match=r"failure\.txt is a link to another place"):
        read_plan(tmp_path)


@pytest.mark.parametrize("name", ["checkpoints/step-000500.weights.h5", "history.csv", "data.json", "x"])
def test_pipes_are_refused_and_not_waited_for(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(q.UserError, match="is a pipe or device; such a folder must hold its own files"):
        q.load_run(folder)


def make_pipe(path, aside):
    os.mkfifo(path)


def make_link(path, aside):
    path.symlink_to(aside)


def make_folder(path, aside):
    path.mkdir()


@pytest.mark.parametrize("make", [make_pipe, make_link, make_folder])
@pytest.mark.parametrize("wait", [False, True])
def test_a_lock_is_an_empty_file_or_nothing_is_done(tmp_path, make, wait):
    lock, aside = tmp_path / ".run.lock", tmp_path / "aside"
    make(lock, aside)
    with pytest.raises(q.UserError) as error, locked(tmp_path / "run", wait):
        pass
    what = "it is a link" if make is make_link else "it is no file"
    assert str(error.value) == f"{lock} must be an empty file, and {what}; remove it."
    assert not aside.exists()
    with pytest.raises((ValueError, OSError)):
        append_text(lock, "x")
    assert not aside.exists()


def test_a_changed_file_of_a_shared_folder_is_named_on_every_route(shared):
    facts = json.loads((shared / "data.json").read_text())
    facts["class_names"][3] = "nine"
    (shared / "data.json").write_text(json.dumps(facts))
    for name, route in ROUTES.items():
        with pytest.raises(q.UserError, match=r"data\.json is not the file that SHA256SUMS vouches for; get") as error:
            route(shared)
        assert str(shared / "data.json") in str(error.value), name


def without(folder, *names):
    """Take files off a folder's list."""
    lines = (folder / SUMS).read_text().splitlines(keepends=True)
    (folder / SUMS).write_text("".join(line for line in lines if not line.strip().endswith(names)))


@pytest.mark.parametrize("name", ["data.json", "config.json", "versions.json", "checkpoints/step-000500.weights.h5"])
def test_what_decides_a_run_stands_in_its_list(shared, name):
    without(shared, name)
    with pytest.raises(q.UserError) as error:
        q.load_run(shared)
    path = shared / name
    assert str(error.value) == (
        f"{path} must stand in SHA256SUMS, as it decides what this run is, and does not; get the folder again from "
        "where it came."
    )


def test_a_checkpoint_that_was_added_is_not_taken_for_the_newest(shared):
    first = shared / "checkpoints" / "step-000500.weights.h5"
    shutil.copyfile(first, first.with_name("step-000900.weights.h5"))
    with pytest.raises(q.UserError, match=r"step-000900\.weights\.h5 must stand in SHA256SUMS"):
        q.load_run(shared)


def test_a_listed_report_is_not_written_over(shared):
    (shared / "report.html").write_text("theirs")
    write_sums(shared)
    with pytest.raises(q.UserError, match="was made for others and keeps its report; copy it and remove SHA256SUMS"):
        write_page(q.load_run(shared), {})
    assert (shared / "report.html").read_text() == "theirs"
    check_sums(shared)


def test_pictures_of_a_shared_folder_stay_and_new_ones_are_added(shared, digits_data, monkeypatch):
    few = dataclasses.replace(digits_data, test=digits_data.test.take(np.arange(30)))
    monkeypatch.setattr(run_figures, "images_of", lambda run, data: few)
    made = {name: (name, lambda path: path.write_text("ours")) for name in ("features", "map-pca")}
    monkeypatch.setattr(run_figures, "_figures", lambda *_: made)  # tests/plots draws
    (shared / "figures").mkdir()
    shutil.copyfile(next(Path("docs/images").glob("*.png")).resolve(), shared / "figures" / "features.png")
    write_sums(shared)
    assert q.draw_run(shared) == {name: shared / "figures" / f"{name}.png" for name in made}
    check_sums(shared)
    assert (shared / "figures" / "map-pca.png").read_text() == "ours"


def test_a_shared_run_is_not_trained_on(shared):
    with pytest.raises(q.UserError) as error:
        q.resume(shared)
    assert str(error.value) == (
        f"{shared} was made for others and keeps its weights; copy it and remove SHA256SUMS there to go on with it."
    )


def test_lists_name_files_of_the_folder(shared, secret):
    for name in (str(secret), "../account.json", "a/../../account.json"):
        (shared / SUMS).write_text(f"{'0' * 64}  {name}\n")
        with pytest.raises(q.UserError, match="must name a checksum and a file in each line"):
            open_run(shared)


def test_new_runs_are_opened_with_their_link(tmp_path):
    run = create_run(q.Config(width=2, layers=1, batch_size=16), tmp_path, "run", "digits")
    point_latest(run.folder)
    assert newest_run(tmp_path).folder == run.folder
