"""Runs whose views are made within the training step, judged by runs whose views were made ahead."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from judges.rounding import judge, saved_arrays

import qssl_tf as q
from qssl_tf.training.runs import open_run

SMALL = q.Config(width=2, layers=1, steps=4, batch_size=32, checkpoint_every=2)


def losses(folder):
    with open(folder / "history.csv", encoding="utf-8") as rows:
        return np.array([float(row["loss"]) for row in csv.DictReader(rows)])


@pytest.mark.parametrize("settings", [{}, {"xla_step": True}], ids=["operations", "one program"])
def test_the_run_learns_the_same(tmp_path, settings):
    within = q.pretrain(config=replace(SMALL, views_in_step=True, **settings), runs_dir=tmp_path, name="within")
    run = open_run(within.folder)
    assert run.config.views_in_step
    judge(SMALL, tmp_path).agrees(saved_arrays(run.checkpoint(SMALL.steps)), losses(run.folder))
    # Whoever has the model next gives it views, not images: so does a probe.
    views = tuple(np.random.default_rng(0).uniform(size=(2, 32, 8, 8, 1)).astype("f"))
    assert np.isfinite(within.model.test_on_batch(*views)[0])
    assert q.linear_probe(within, probe_epochs=2).n_test == 360
