"""What is said of a run that another version began."""

import functools
import json

import pytest

import qssl_tf as q
from qssl_tf.training.runs import open_run
from qssl_tf.training.session import resumed_session


@pytest.fixture(scope="module")
def run_with(tmp_path_factory):
    """A function (noise) -> a run that was trained with it, once."""

    @functools.cache
    def trained(noise):
        config = q.Config(width=2, layers=1, steps=2, batch_size=16, noise=noise)
        return q.pretrain(config=config, runs_dir=tmp_path_factory.mktemp("runs"), name="run")

    return trained


@pytest.mark.parametrize(("version", "noise"), [("0.1.0", "readout=0.1"), ("0.2.0", "readout=0.1"), ("0.1.0", "none")])
def test_noise_that_was_sampled_before_is_named(run_with, capsys, version, noise):
    run = run_with(noise)
    versions = json.loads((run.folder / "versions.json").read_text())
    (run.folder / "versions.json").write_text(json.dumps(versions | {"qssl-tf": version}))
    capsys.readouterr()
    resumed_session(open_run(run.folder), run.data)
    sentence = (
        f"{run.folder} was begun by version 0.1.0, which sampled its noise; "
        "from here on noise is exact where it can be\n"
    )
    assert capsys.readouterr().out == (sentence if (version, noise) == ("0.1.0", "readout=0.1") else "")
