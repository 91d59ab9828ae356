"""`qssl compare`: which arms its flags make, and what is refused in one line."""

import itertools
import json

import pytest

from qssl_tf.cli import compare
from qssl_tf.config import Config
from qssl_tf.presets import preset


def arms(*words):
    return compare._arms(compare.parser().parse_args(list(words)))


def test_each_value_of_a_setting_is_an_arm():
    found = arms("--vary", "objective=nt_xent,vicreg", "--width", "5")
    assert found == {name: Config(objective=name, width=5) for name in ("nt_xent", "vicreg")}
    assert arms("--vary", "shots=none,100", "--vary", "batch-size=32,64", "--preset", "paper") == {
        f"shots-{shots}-batch_size-{size}": Config.from_dict(
            preset("paper").to_dict() | {"shots": None if shots == "none" else shots, "batch_size": size}
        )
        for shots, size in itertools.product(("none", 100), (32, 64))
    }


def test_beside_named_arms_each_value_is_one_of_each(tmp_path):
    (tmp_path / "own.json").write_text(json.dumps(Config(width=3, objective="byol").to_dict()))
    found = arms("--arms", "ring,classical", "--vary", "objective=moco,vicreg", "--arm", f"own={tmp_path / 'own.json'}")
    heads = {"ring": "quantum", "classical": "classical"}
    assert found == {
        f"{arm}-{objective}": Config(head=heads[arm], objective=objective)
        for arm, objective in itertools.product(heads, ("moco", "vicreg"))
    } | {"own": Config(width=3, objective="byol")}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "what is compared must be run folders, or --arms, --arm or --vary with --seeds; got neither."),
        (("--vary", "layers=1,2"), "--seeds must say which seeds to train the arms with, such as 0-9; got none."),
        (("--vary", "layrs=1,2", "--seeds", "0,1"), "got 'layrs'. Did you mean 'layers'?"),
        (("--vary", "layers=1", "--seeds", "0,1"), "a comparison must have at least two arms; got layers-1."),
        (
            ("--vary", "layers=1:3", "--seeds", "0,1"),
            "--vary must list the values of arms, such as layers=A,B; got 'layers=1:3'.",
        ),
        (
            ("--vary", "layers=1,2", "--layers", "3", "--seeds", "0,1"),
            "--layers is both set for all arms and varied; leave out one of the flags.",
        ),
        (
            ("--arms", "ring,classical", "--vary", "head=mlp,fourier", "--seeds", "0,1"),
            "--vary head is what the arm classical is about; leave out one of them.",
        ),
        (
            ("--arms", "ring,classical", "--head", "mlp", "--seeds", "0,1"),
            "--head is what the arm classical is about; leave out one of them.",
        ),
        (
            ("--vary", "seed=1,2", "--seeds", "0,1"),
            "--vary cannot vary the seed, which pairs have in common; give seeds as --seeds.",
        ),
        (("--vary", "layers=1,2", "--seeds", "0,1", "--processes", "0"), "--processes must be at least 1; got 0."),
        (
            ("--vary", "layers=1,2", "--seeds", "0,1", "--budget", "3"),
            "--budget must be a time such as 90m, 8h or 600s; got '3'.",
        ),
        (
            ("runs/a", "runs/b", "--list", "--processes", "2"),
            "runs that are there have their own settings; leave out --processes, --list, or the runs.",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(words, sentence, here, tmp_path):
    done = here("-m", "qssl_tf", "compare", *words, "--folder", tmp_path / "runs")
    assert done.returncode == 2 and done.stderr.strip().endswith(sentence), done.stderr
    assert not (tmp_path / "runs").exists()


def test_what_is_left_is_listed_before_anything_is_done(here, tmp_path):
    done = here(
        "-m", "qssl_tf", "compare", "--vary", "objective=nt_xent,vicreg", "--seeds", "0-2", "--list",
        "--folder", tmp_path / "runs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second, summary, times = done.stdout.splitlines()
    assert first.split()[:5] == ["nt_xent", "seed", "0,", "1,", "2"] and second.startswith("vicreg ")
    assert summary.startswith("0 of 6 runs are finished; left to do: 6 to train and probe; about ")
    assert times == "the times are guessed for two cores" and not (tmp_path / "runs").exists()
