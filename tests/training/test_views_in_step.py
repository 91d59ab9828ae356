"""Runs whose views are made within the training step, judged by runs whose views were made ahead."""

import csv
from dataclasses import replace

import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.training.runs import open_run

SMALL = q.Config(width=2, layers=1, steps=4, batch_size=32, checkpoint_every=2)


def losses(folder):
    with open(folder / "history.csv", encoding="utf-8") as rows:
        return np.array([float(row["loss"]) for row in csv.DictReader(rows)])


@pytest.mark.parametrize("settings", [{}, {"xla_step": True}], ids=["operations", "one program"])
def test_the_run_learns_the_same(tmp_path, settings):
    ahead = q.pretrain(config=SMALL, runs_dir=tmp_path, name="ahead")
    within = q.pretrain(config=replace(SMALL, views_in_step=True, **settings), runs_dir=tmp_path, name="within")
    np.testing.assert_allclose(losses(within.folder), losses(ahead.folder), rtol=1e-4)
    assert open_run(within.folder).config.views_in_step
    views = tuple(np.random.default_rng(0).uniform(size=(2, 32, 8, 8, 1)).astype("f"))
    np.testing.assert_allclose(*(run.model.test_on_batch(*views)[0] for run in (within, ahead)), rtol=1e-4)
    accuracy = [q.linear_probe(run, probe_epochs=2).accuracy_last for run in (ahead, within)]
    assert abs(accuracy[0] - accuracy[1]) < 0.02 * 100
