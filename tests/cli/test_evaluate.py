import shutil

import pytest

from qssl_tf.evaluation.trained_run import WEIGHTS

FLAGS = ("--probe-epochs", 2, "--probe-passes", 1)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "digits"
    shutil.copytree(WEIGHTS / "digits-ring", folder)
    return folder


def test_judges_that_are_named_are_asked(run, here):
    done = here("-m", "qssl_tf", "evaluate", run, "--judges", "rank,knn")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{run}: step ") and lines[-1] == f"result: {run / 'evaluation.json'}"
    heads = lines.index("") + 1
    assert [line.split()[0] for line in lines[heads:-2]] == ["judge", *["knn"] * 5, *["rank"] * 4]
    assert "not asked" not in done.stdout


def test_one_command_prints_one_table(run, here):
    done = here("-m", "qssl_tf", "evaluate", run, "--images-per-class", "1", "--fractions", "0.1", "--draws", 2, *FLAGS)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{run}: step ") and lines[-1] == f"result: {run / 'evaluation.json'}"
    assert lines[-2].startswith("not asked: head, finetune, transfer (with --probe-dataset), cka (with --cka-with); ")
    heads = next(line for line in lines if line.startswith("judge "))
    assert heads.split() == ["judge", "name", "value", "95", "%", "interval", "balanced", "largest", "class", "of"]
    for words in ("linear", "knn", "few", "fractions", "alignment", "rank"):
        assert any(line.startswith(f"{words} ") for line in lines), words
    assert (run / "evaluation.csv").is_file()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--judges", "knn,liner"], "got 'liner'. Did you mean 'linear'?"),
        (["--judges", "transfer"], "the judge 'transfer' must have --probe-dataset; give it."),
        (["--fractions", "some"], "such as 0.01,0.1; got ('some',)."),
        (["--draws", "few"], "`draws` must be a whole number from 2 to 1000; got 'few'."),
        (["--checkpoint", "7"], "--checkpoint must be all, last or one of"),
        (["--checkpoint", "all"], "--checkpoint must be last or a step, for one set of weights; got 'all'."),
        (["--judges", "cka", "--cka-with", "nowhere"], "run folder nowhere does not exist"),
    ],
)
def test_mistakes_are_one_line(run, here, flags, sentence):
    done = here("-m", "qssl_tf", "evaluate", run, *flags)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and sentence in done.stderr, done.stderr
    assert not (run / "evaluation.json").exists()
