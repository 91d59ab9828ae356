"""The command as a user runs it, with real processes that are killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = "trainers/reproduce.py"
SMALL = (SCRIPT, "digits", "--arms", "ring", "--seeds", "0")


def numbers(folder):
    """Return what a report says, without times."""
    summary = json.loads((folder / "results" / "summary-digits.json").read_text())
    text = (folder / "results" / "report-digits.md").read_text()
    return summary["rows"], text[: text.index("## Costs")]


def start(tmp_path, folder):
    from conftest import ROOT

    with open(tmp_path / "output", "a") as output:
        return subprocess.Popen(
            [sys.executable, *SMALL, "--folder", str(folder)], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )


def test_killed_twice_it_ends_with_the_same_report(here, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = here(*SMALL, "--folder", whole)
    assert done.returncode == 0, done.stderr
    assert "digits-ring seed 0: done," in done.stdout and "report: " in done.stdout

    run = killed / "digits-ring-s0"
    moments = [
        lambda: (run / "history.csv").exists() and (run / "history.csv").read_bytes().count(b"\n") > 60,
        lambda: (run / "model.keras").exists(),  # while it probes
    ]
    for moment in moments:
        process = start(tmp_path, killed)
        until = time.monotonic() + 120
        while not moment():
            assert time.monotonic() < until and process.poll() is None, (tmp_path / "output").read_text()
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    again = here(*SMALL, "--folder", killed)
    assert again.returncode == 0, again.stderr
    assert numbers(killed) == numbers(whole)

    nothing = here(*SMALL, "--folder", killed)
    assert nothing.stdout.splitlines()[0] == "nothing is left to do: 1 run finished"


def test_costs_are_shown_before_anything_is_done(here, tmp_path):
    listed = here(SCRIPT, "--list", "--folder", tmp_path / "runs")
    assert listed.returncode == 0 and not (tmp_path / "runs").exists()
    assert "0 of 51 runs are finished; " in listed.stdout and "guessed for two cores" in listed.stdout
    assert "ring_100_shots_partial_measurement" in listed.stdout


def test_arms_of_a_plugin(here, own_words, tmp_path):
    asked = ("digits", "--plugin", "examples/own_circuit.py", "--arms", "brick", "--list")
    listed = here(SCRIPT, *asked, "--folder", tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "digits-brick" in listed.stdout and "0 of 3 runs are finished; " in listed.stdout


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("papr",), "error: `study` must be one of paper, states, width, training-size, layers, epochs, "
                    "other-classes, digits-heads, merlin, features-8, features-16, features-36, noise, noise-digits, "
                    "digits; got 'papr'. Did you mean 'paper'?"),
        (("--arms", "rign"), "got 'rign'. Did you mean 'ring'?"),
        (("--seeds", "x"), "error: --seeds must be numbers or ranges such as 0-5 or 0,2; got 'x'."),
        (("--budget", "soon"), "error: --budget must be a time such as 90m, 8h or 600s; got 'soon'."),
        (("--report",), "holds no finished run of paper; run the study without --report first."),
        (("--sedes", "1"), "error: unknown argument '--sedes'. Did you mean --seeds?"),
    ],
)  # fmt: skip
def test_bad_words_are_one_line(here, tmp_path, flags, sentence):
    done = here(SCRIPT, *flags, "--folder", tmp_path)
    assert done.returncode == 2 and done.stderr.strip().endswith(sentence)
    assert len(done.stderr.strip().splitlines()) == 1 and not done.stdout


def test_missing_data_stop_it_in_one_line(here, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nowhere"))
    done = here(SCRIPT, "--arms", "identity", "--folder", tmp_path)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "cifar10" in done.stderr and "Traceback" not in done.stdout


def test_foreign_folders_are_refused_before_anything_begins(here, tmp_path):
    (tmp_path / "digits-ring-s0").mkdir()
    (tmp_path / "digits-ring-s0" / "thesis.txt").write_text("mine")
    done = here(*SMALL, "--folder", tmp_path)
    assert done.returncode == 2 and "digits-ring-s0 is not a run folder" in done.stderr
    assert (tmp_path / "digits-ring-s0" / "thesis.txt").read_text() == "mine"


def test_a_run_with_other_settings_is_refused(here, tmp_path):
    from qssl_tf.config import Config
    from qssl_tf.training.runs import create_run

    create_run(Config(seed=0, width=3), tmp_path, "digits-ring-s0", "digits")
    done = here(*SMALL, "--folder", tmp_path)
    assert done.returncode == 2
    assert "digits-ring-s0 is not a run of digits-ring with seed 0, or was made by another version (" in done.stderr
    assert "width: 8 against 3" in done.stderr and done.stderr.strip().endswith("move it away.")
