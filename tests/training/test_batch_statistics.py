"""Runs with batch statistics of each replica: what they keep and say; tests/distributed judges their numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import qssl_tf as q
from qssl_tf.data.augment import augmentation
from qssl_tf.models.build import build_simclr
from qssl_tf.training.runs import open_run

SMALL = q.Config(width=2, layers=1, steps=4, batch_size=32, checkpoint_every=2, batch_statistics="local")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return q.pretrain(config=SMALL, runs_dir=tmp_path_factory.mktemp("runs"), name="local")


def test_alone_both_are_the_same(run, tmp_path):
    other = q.pretrain(config=replace(SMALL, batch_statistics="global"), runs_dir=tmp_path, name="global")
    for mine, its in zip(run.model.weights, other.model.weights, strict=True):
        np.testing.assert_array_equal(mine, its)
    assert "replicas" not in json.loads((other.folder / "versions.json").read_text())


def test_the_number_of_replicas_is_kept_and_another_one_is_said(run, capsys):
    versions = run.folder / "versions.json"
    kept = json.loads(versions.read_text())
    assert kept["replicas"] == "1"
    versions.write_text(json.dumps(kept | {"replicas": "2"}))
    opened = open_run(run.folder)
    opened.state.unlink()
    opened.previous_state.rename(opened.state)  # of step 2
    q.resume(run.folder)
    assert capsys.readouterr().err.splitlines()[0] == (
        f"note: {run.folder} was begun on 2 replicas with batch statistics of their own; from here on they are of 32 "
        "images each, on 1, and the training is another than it would have been"
    )


def test_one_row_a_replica_is_refused(monkeypatch):
    monkeypatch.setattr(type(tf.distribute.get_strategy().extended), "_num_replicas_in_sync", 2)
    config = replace(SMALL, batch_size=2)
    with pytest.raises(q.UserError) as caught:
        build_simclr(config, (8, 8, 1), augmentation(config, (8, 8, 1)))
    assert str(caught.value) == (
        "`batch_statistics='local'` needs at least two images a replica, since batch norm of one is zero; got "
        "`batch_size=2` for 2 replicas; take 4 or more, fewer replicas, or `batch_statistics='global'`."
    )
