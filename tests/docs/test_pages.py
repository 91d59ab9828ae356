"""Every command and every block of Python in docs/, run in the order of the pages.

Commands are those of the pages with the flags of SHORT behind them, in this process, so that TensorFlow starts once;
what starts several processes runs in a shell. Each page begins with a short run that was trained and probed, as a
reader has it after Getting started.
"""

import os
import shlex
import subprocess
import sys

import pytest
from blocks import DOCS, ROOT, blocks, pages
from in_process import run_here

from qssl_tf.files.links import point_latest

# Script -> flags that make it quick. Not appended where a flag of the second list is there.
SHORT = {
    "make pretrain PRESET=paper": ("--steps 2 --batch-size 32 --width 2 --train-images 300", ()),
    "make pretrain": ("--steps 2 --batch-size 32 --width 2", ()),
    "trainers/pretrain.py": ("--steps 2 --batch-size 32 --width 2", ("--resume",)),
    "trainers/linear_eval.py": ("--probe-epochs 2 --probe-passes 1", ()),
    "ansatz=ring,brick": ("--trials 2 --steps 2 --batch-size 64 --probe-epochs 1", ()),
    "tuning/search.py": ("--trials 1 --steps 2 --batch-size 64 --probe-epochs 1", ("--resume",)),
    "qssl pretrain": ("--steps 2 --batch-size 32 --width 2", ("--resume",)),
    "qssl evaluate": ("--probe-epochs 2 --probe-passes 1 --draws 2", ()),
    "qssl probe": ("--probe-epochs 2 --probe-passes 1", ()),
    "qssl compare": ("--steps 2 --batch-size 64 --probe-epochs 1", ()),
    "qssl device": ("--images 20 --shots 100 --mitigation none", ("--status", "--resume", "--export", "--list")),
    "qssl_tf.ibmq_infer": ("--images 20 --shots 100 --mitigation none", ("--status", "--resume", "--export")),
}
SHELL = ("&", "--strategy")  # needs processes of its own
CIFAR = "PRESET=paper"  # needs CIFAR-10: in a test of their own
# Commands that take hours or other machines -> a test of what they do in a small way, and a word that it holds.
ELSEWHERE = {
    "python benchmarks/faults.py --kills 20": ("tests/benchmarks/test_faults.py", "count.kills"),
    "--role ": ("tests/search/test_search.py", '"--role"'),
    "--algorithm hyperband": ("tests/search/test_oracles.py", "test_hyperband_trains_its_best_for_longer"),
    "--paper-probes 0": ("tests/trainers/test_reproduce.py", '"digits", "--arms", "ring"'),
}
# Part of a command -> what it must print.
SAID = {
    CIFAR: "300 images of cifar10",
    "ansatz brick": "brick circuit",
    "ansatz=ring,brick": "brick",
    "--encoder plain": ": plain + ring circuit",
    "--dataset cells": "images of cells",
    "--data-dir photos": "images of photos",
    "--split validation": "validation images",
    "--results docs/results --report": "report: docs/results/report.md",
    "--results docs/results/noise --report": "report: docs/results/noise/report-noise",
    "qssl share": "shared-digits",
}
# Page -> files that are there when it was run: an own circuit reached the device.
LEFT = {"own-circuit": ("runs/digits-brick-*/ibmq/*/result.json",)}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """The project's commands beside a folder of runs with one that was trained and probed."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("trainers", "tuning", "benchmarks", "examples", "qssl_tf", "Makefile"):
        (folder / name).symlink_to(ROOT / name)
    subprocess.run(["cp", "-r", DOCS, folder / "docs"], check=True)
    before = os.getcwd()
    os.chdir(folder)
    run("python trainers/pretrain.py --name first --steps 3 --batch-size 64 --width 3", folder)
    run("python trainers/linear_eval.py --probe-epochs 2", folder)
    yield folder
    os.chdir(before)


def run(command, folder):
    """Run a command of the project in this process, and return what it prints."""
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        told = [name for name in os.environ if name.startswith(("MAKE", "MFLAGS")) or name == "ARGS"]
        plain = {name: value for name, value in os.environ.items() if name not in told}
        said = subprocess.run(
            [*words, "--dry-run"], cwd=ROOT, env=plain, capture_output=True, text=True, timeout=60, check=True
        )
        words = shlex.split(said.stdout.splitlines()[-1])
    done = run_here(*(["-m", "qssl_tf", *words[1:]] if words[0] == "qssl" else words[1:]), folder=folder)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def shortened(line):
    """Return a command with what makes it quick."""
    command = line.split("  #")[0].rstrip()
    flags, never = next((short for name, short in SHORT.items() if name in command), ("", ()))
    if not flags or any(word in command for word in never):
        return command
    if command.startswith("make"):
        return f'{command} ARGS="{flags}"'
    return f"{command.rstrip('& ')} {flags}{' &' if command.endswith('&') else ''}"


def run_line(line, folder):
    """Run a command, and look at what it prints."""
    said = run(shortened(line), folder)
    for part, words in SAID.items():
        assert part not in line or words in said, f"{line}: {said}"


def run_block(block, free_ports, folder):
    lines = [line for line in block.text.splitlines() if not any(words in line for words in (CIFAR, *ELSEWHERE))]
    if any(word in block.text for word in SHELL) and lines:
        text = "\n".join(map(shortened, lines)).replace("python ", f"{shlex.quote(sys.executable)} ")
        for port, free in zip(("9851", "9852"), free_ports(2), strict=True):
            text = text.replace(port, str(free))
        done = subprocess.run(
            ["bash", "-ec", text + "\nwait"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return
    for line in lines:
        run_line(line, folder)


@pytest.mark.parametrize("page", [page for page in pages() if blocks(page)], ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page, workspace, free_ports, own_words, monkeypatch):
    monkeypatch.syspath_prepend(str(workspace))
    point_latest(workspace / "runs" / "first")
    names: dict = {}
    for block in blocks(page):
        if block.title:
            (workspace / block.title).write_text(block.text)
        elif block.language == "python":
            exec(compile(block.text, str(page), "exec"), names)
        elif block.language == "bash":
            run_block(block, free_ports, workspace)
        else:
            assert block.language in ("text", "json"), block.language
    for place in LEFT.get(page.stem, ()):
        assert list(workspace.glob(place)), place
    written = ("report.md", "report-states.md", "noise/report-noise-digits.md", "noise/report-noise.md")
    for name in written:  # anew, from the records
        assert (workspace / "docs/results" / name).read_bytes() == (DOCS / "results" / name).read_bytes()


PRESETS = ("paper", "paper-100-shots")  # that pages name for runs on CIFAR-10


@pytest.mark.parametrize("preset", PRESETS)
def test_the_runs_on_cifar_start(preset, cifar_dir, workspace):
    text = "\n".join(block.text for page in pages() for block in blocks(page))
    lines = {line.split("=")[-1]: line for line in text.splitlines() if CIFAR in line}
    assert lines.keys() == set(PRESETS)
    run_line(lines[preset], workspace)


def test_what_is_left_out_is_on_a_page_and_tested_elsewhere():
    text = "".join(block.text for page in pages() for block in blocks(page))
    assert [words for words in (*ELSEWHERE, *SAID) if words not in text] == []
    for name, word in ELSEWHERE.values():
        assert word in (ROOT / name).read_text(encoding="utf-8"), name
