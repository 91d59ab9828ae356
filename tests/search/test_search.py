"""The command as a user meets it: real searches, real kills, one chief with two workers."""

import csv
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from in_process import run_here

from qssl_tf.config import Config

ROOT = Path(__file__).resolve().parents[2]
# Trials of about two seconds on a model without a circuit; one process compiles each width once.
QUICK = ["--head", "identity", "--steps", "24", "--batch-size", "128", "--probe-epochs", "3", "--checkpoint-every", "8"]


def command(folder, *arguments):
    return [sys.executable, "tuning/search.py", "--searches-dir", str(folder), *map(str, arguments)]


def start(folder, *arguments, output=subprocess.DEVNULL):
    return subprocess.Popen(command(folder, *arguments), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True)


def rows(search):
    with open(search / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


def wait_until(condition, process, seconds=300):
    limit = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.02)


@pytest.fixture(scope="module")
def whole(script, tmp_path_factory):
    """A search in which every other trial cannot be trained, since its batch is larger than the training images."""
    folder = tmp_path_factory.mktemp("searches")
    varied = ["--vary", "width=3,5", "--vary", "batch-size=64,5000"]
    arguments = [word for word in QUICK if word not in ("--batch-size", "128")]
    done = script(
        "tuning/search.py", "--searches-dir", folder, "--name", "whole", "--algorithm", "grid", *varied, *arguments
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr  # of the trials that fail
    return folder / "whole", done.stdout


def test_what_a_search_leaves(whole):
    search, output = whole
    table = rows(search)
    assert [row["state"] for row in table] == ["completed", "failed", "completed", "failed"]
    assert table[1]["reason"] == "`batch_size` must be at most the number of training images (1149); got 5000."
    assert [(row["width"], row["batch_size"]) for row in table] == [
        ("3", "64"), ("3", "5000"), ("5", "64"), ("5", "5000"),
    ]  # fmt: skip
    for name in ("figures/parameters.png", "figures/cost.png", "search.json"):
        assert (search / name).stat().st_size > 0
    assert not [path for path in search.rglob(".*") if path.is_file() and path.suffix not in (".lock", ".attempts")]
    assert (search.parent / "latest").resolve() == search.resolve()
    best = max((row for row in table if row["state"] == "completed"), key=lambda row: float(row["validation_accuracy"]))
    chosen = Config.from_json(search / "best.json")
    assert str(chosen.width) == best["width"] and chosen.validation_fraction == 0.0
    assert f"next: python trainers/pretrain.py --config {search / 'best.json'}" in output
    # The table's number is that of the folder, in every line.
    assert f"best: trial {best['trial']}, " in output and "trial 0 (1 of 4): width 3, batch_size 64" in output
    probed = json.loads((search / "trials" / f"trial-{int(best['trial']):04d}" / "trial.json").read_text())
    assert float(best["validation_accuracy"]) == pytest.approx(probed["validation_accuracy"], rel=1e-5)
    assert "optimistic" in output and "4 trials, 2 failed" in output and "Traceback" not in output


def test_trials_are_ordinary_run_folders_judged_on_held_out_training_images(whole, here, digits_data):
    search, _ = whole
    run = search / "trials" / "trial-0002"
    config = Config.from_json(run / "config.json")
    assert config.validation_fraction == 0.2
    probed = json.loads((run / "probe-validation.json").read_text())
    assert (probed["split"], probed["n_train"], probed["n_test"]) == ("validation", 1149, 288)
    assert probed["n_train"] + probed["n_test"] == len(digits_data.train)  # no test image among them
    assert float(rows(search)[2]["validation_accuracy"]) == pytest.approx(probed["accuracy_last"], rel=1e-5)
    again = here("trainers/linear_eval.py", "--run", run, "--split", "validation", "--no-untrained")
    assert again.returncode == 0 and f"{probed['accuracy_last']:.2f} % on 288 validation images" in again.stdout
    assert not (run / "probe.json").exists()


def test_the_best_settings_train_on_all_images(whole, here, tmp_path):
    search, _ = whole
    done = here("trainers/pretrain.py", "--config", search / "best.json", "--steps", 3, "--runs-dir", tmp_path)
    assert done.returncode == 0 and "on 1437 images" in done.stdout, done.stderr


def test_a_finished_search_runs_nothing_again_and_can_be_continued(whole, here):
    search, _ = whole
    before = {path: path.stat().st_mtime_ns for path in (search / "trials").rglob("*.h5")}
    done = here("tuning/search.py", "--searches-dir", search.parent, "--resume")
    assert done.returncode == 0 and "4 of its trials done already" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("trial ")]
    assert {path: path.stat().st_mtime_ns for path in (search / "trials").rglob("*.h5")} == before


def test_a_killed_search_goes_on_in_the_step_of_its_trial(here, tmp_path):
    search = tmp_path / "killed"
    arguments = ["--name", "killed", "--vary", "width=3,4", "--trials", 2, *QUICK]
    process = start(tmp_path, *arguments)
    history = search / "trials" / "trial-0001" / "history.csv"
    wait_until(lambda: history.exists() and len(history.read_text().splitlines()) > 12, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = search / "trials" / "trial-0000" / "trial.json"
    before = finished.stat().st_mtime_ns
    seconds = history.read_text().splitlines()[5]
    done = here("tuning/search.py", "--resume", search)
    assert done.returncode == 0 and "1 of its trials done already" in done.stdout and "again: " in done.stdout, (
        done.stderr
    )
    assert finished.stat().st_mtime_ns == before
    lines = history.read_text().splitlines()
    assert len(lines) == 25 and lines[5] == seconds  # the first steps were not taken again
    assert [row["state"] for row in rows(search)] == ["completed", "completed"]


def test_ctrl_c_ends_a_search_and_says_how_to_go_on(tmp_path):
    process = start(tmp_path, "--name", "s", "--vary", "width=3,4", *QUICK[:2], "--steps", 2000, output=subprocess.PIPE)
    history = tmp_path / "s" / "trials" / "trial-0000" / "history.csv"
    wait_until(lambda: history.exists() and len(history.read_text().splitlines()) > 3, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in output
    assert f"stopped by SIGINT; continue with: python tuning/search.py --resume {tmp_path / 's'}" in output


def test_a_chief_and_two_workers_of_which_one_is_killed(tmp_path, free_ports):
    chief, search = f"127.0.0.1:{free_ports(1)[0]}", tmp_path / "shared"
    widths = [3, 4, 5, 6]
    varied = f"width={','.join(map(str, widths))}"
    quick = [word if word != "24" else "60" for word in QUICK]
    with open(tmp_path / "chief.txt", "w") as log:
        leader = start(
            tmp_path, "--name", "shared", "--vary", varied, "--trials", 4, *quick, "--role", "chief", "--chief", chief,
            "--silence", 6, output=log,
        )  # fmt: skip

    def told():
        return (tmp_path / "chief.txt").read_text()

    wait_until(lambda: "chief at" in told(), leader)
    part = ["--resume", search, "--role", "worker", "--chief", chief, "--silence", 6]
    doomed = start(tmp_path, *part)
    begun = search / "trials" / "trial-0000" / "history.csv"
    wait_until(lambda: begun.exists() and len(begun.read_text().splitlines()) > 9, leader)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    workers = [start(tmp_path, *part, output=subprocess.PIPE) for _ in range(2)]
    for worker in workers:
        output, _ = worker.communicate(timeout=400)
        assert worker.returncode == 0 and "no more trials" in output, output
    assert leader.wait(timeout=60) == 0, told()
    assert "trial 0 (1 of 4): its worker is silent; the trial waits for another" in told()
    table = rows(search)
    assert [row["state"] for row in table] == ["completed"] * 4
    assert sorted(int(row["width"]) for row in table) == widths  # none lost
    assert sorted(path.name for path in (search / "trials").iterdir() if path.is_dir()) == [
        f"trial-{number:04d}" for number in range(4)
    ]
    assert (
        len([line for line in told().splitlines() if "validation_accuracy" in line and line.startswith("trial")]) == 4
    )
    for number in range(4):
        history = (search / "trials" / f"trial-{number:04d}" / "history.csv").read_text().splitlines()
        assert [line.split(",")[0] for line in history[1:]] == [str(step) for step in range(1, 61)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--space", "circiut"],
            "`space` must be one of circuit, rivals, shots, encoder, recipe, objective, overlaps, all; got 'circiut'.",
        ),
        (["--vary", "witdh=1,2"], "got 'witdh'. Did you mean 'width'?"),
        (["--vary", "width"], "`width` must be an integer; got ''."),
        (["--vary", "width=4,99"], "`width` must be at least 1 and at most 24 for qubits; got 99."),
        (
            ["--vary", "temperature=1:0.1"],
            "--vary needs LOW below HIGH, and above 0 with log; got 'temperature=1:0.1'.",
        ),
        (
            ["--vary", "ansatz=a:b"],
            "--vary must be NAME=A,B,C or NAME=LOW:HIGH or NAME=LOW:HIGH:log; got 'ansatz=a:b'.",
        ),
        (["--width", "4", "--vary", "width=3,4"], "`width` is both set for all trials and varied; leave out one"),
        (["--head", "identity", "--space", "shots"], "nothing to search: shots, gradient cannot matter"),
        (["--goal", "accuracy"], "`goal` must be one of validation_accuracy, balanced_accuracy,"),
        (["--algorithm", "randm"], "`algorithm` must be one of random, bayesian, hyperband, grid; got 'randm'."),
        (["--algorithm", "hyperband", "--trials", "4"], "--algorithm hyperband sets the number of trials by itself"),
        (["--trials", "0"], "`trials` must be at least 1; got 0."),
        (["--validation-fraction", "0"], "`validation_fraction` must be above 0.0 in a search"),
        (["--name", "a/b"], "--name must be a plain folder name other than 'latest'; got 'a/b'."),
        (["--role", "chief"], "--role and --chief belong together"),
        (["--chief", "127.0.0.1:99"], "--role and --chief belong together"),
        (["--role", "chief", "--chief", "here"], "--chief must be HOST:PORT with a port from 1 to 65535; got 'here'."),
        (["--role", "worker", "--chief", "127.0.0.1:99"], "a worker takes everything from the chief's folder"),
        (["--silence", "5"], "--silence must be above 0 and beside --role; got 5.0."),
        (["--secret-file", "key"], "--secret-file belongs to --role; leave it out where a search has one process."),
        (["--resume", "nowhere"], "nowhere is no search (it holds no search.json); searches in .: "),
        (["--resume", "--width", "3"], "--resume takes everything but --trials from the search's folder; leave out"),
        (["--dataset", "cifra10"], "cifra10"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, arguments, sentence):
    refused(tmp_path / "searches", arguments, sentence)
    assert not (tmp_path / "searches").exists()


def refused(folder, arguments, sentence):
    """Run the command in this process, since starting it takes seconds."""
    done = run_here("tuning/search.py", "--searches-dir", folder, *arguments, folder=ROOT)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and sentence in done.stderr and done.stdout == "", done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--name", "whole", "--vary", "width=3,7"],
            "whole is another search (algorithm: 'grid' against 'random'; parameter width: [3, 5] against [3, 7];",
        ),
    ],
)
def test_another_search_is_named_and_kept(whole, arguments, sentence):
    search, _ = whole
    before = {path: path.read_bytes() for path in search.rglob("*") if path.is_file()}
    refused(search.parent, arguments, sentence)
    assert {path: path.read_bytes() for path in search.rglob("*") if path.is_file()} == before


def test_a_worker_without_a_chief_ends_soon(whole, free_ports, monkeypatch):
    from qssl_tf.search import client as cluster
    from qssl_tf.search.identity import FILE, begin_identity
    from qssl_tf.search.plan import read_plan

    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    search, _ = whole
    arguments = ["--resume", search, "--role", "worker", "--chief", f"127.0.0.1:{free_ports(1)[0]}"]
    refused(search.parent, arguments, "whole has had no chief yet; start one with --role chief")
    begin_identity(search, read_plan(search))
    refused(search.parent, arguments, "no chief answers at 127.0.0.1:")
    (search / FILE).unlink()


def test_the_chief_of_a_finished_search_waits_for_no_worker(whole, free_ports):
    search, _ = whole
    arguments = ["--resume", search, "--role", "chief", "--chief", f"127.0.0.1:{free_ports(1)[0]}"]
    done = run_here("tuning/search.py", "--searches-dir", search.parent, *arguments, folder=ROOT)
    assert done.returncode == 0 and "all of its trials have ended; no worker is needed\n" in done.stdout, done.stderr


def test_a_port_in_use(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = ["--vary", "width=3,4", "--trials", 2, "--role", "chief", "--chief", where]
        done = run_here("tuning/search.py", "--searches-dir", tmp_path, *arguments, folder=ROOT)
    assert done.returncode == 2 and "Address already in use; choose another --chief." in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1


def test_a_search_that_another_process_holds_is_refused(whole):
    from qssl_tf.files.lock import locked

    search, _ = whole
    with locked(search):  # tests/files/test_lock.py holds it in another process
        refused(search.parent, ["--resume", search], "is in use by another process")


def test_help_needs_no_tensorflow_and_names_every_word(script):
    from qssl_tf.search.oracles import ORACLES
    from qssl_tf.search.space import SPACES
    from qssl_tf.search.trials import OBJECTIVES

    began = time.monotonic()
    done = script("-X", "importtime", "tuning/search.py", "--help")
    assert "tensorflow" not in done.stderr and "keras_tuner" not in done.stderr and time.monotonic() - began < 10
    words = " ".join(done.stdout.split())
    assert all(name in words for name in [*SPACES, *ORACLES, *OBJECTIVES])
