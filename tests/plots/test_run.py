"""Figures of training and probe: their axes, units and legends, read back from the files."""

import math

import numpy as np
from judges.drawn_words import words

from qssl_tf.plots.run import accuracy_curve, confusion, loss_curve, view_sheet


def test_the_loss_has_its_unit_and_the_line_of_equal_embeddings(tmp_path):
    rows = [{"step": str(n), "loss": str(6 - n / 10), "contrastive_accuracy": str(n / 10)} for n in range(1, 6)]
    loss_curve(tmp_path / "loss.png", rows, "NT-Xent loss (nats)", math.log(2 * 256 - 1))
    assert {"training step", "NT-Xent loss (nats)", "contrastive top-1 accuracy (%)", "all embeddings equal"} <= words(
        tmp_path / "loss.png"
    )


def test_a_loss_without_a_value_for_equal_embeddings_has_no_such_line(tmp_path):
    rows = [{"step": str(n), "loss": str(-n / 10), "contrastive_accuracy": str(n / 10)} for n in range(1, 6)]
    loss_curve(tmp_path / "loss.png", rows, "SimSiam loss", None)
    found = words(tmp_path / "loss.png")
    assert "SimSiam loss" in found and "all embeddings equal" not in found


def test_an_online_probe_is_drawn_beside_the_contrastive_accuracy(tmp_path):
    rows = [
        {"step": str(n), "loss": "1.0", "contrastive_accuracy": str(n / 10), "online_accuracy": str(n / 4)}
        for n in range(1, 4)
    ]
    loss_curve(tmp_path / "loss.png", rows, "VICReg loss", None)
    found = words(tmp_path / "loss.png")
    assert {"accuracy (%)", "contrastive top-1", "online probe, views of the batch", "70"} <= found
    assert {"1", "2", "3"} <= found and "1.5" not in found  # no step is half one


def test_views_stand_below_their_images(tmp_path):
    sheets = np.random.default_rng(0).random((3, 5, 6, 6, 3))
    view_sheet(tmp_path / "views.png", *sheets)
    assert {"image", "view a", "view b"} <= words(tmp_path / "views.png")


def test_a_confusion_matrix_shows_counts_and_both_axes(tmp_path):
    names = [f"class {number}" for number in range(10)]
    counts = np.arange(100, 200).reshape(10, 10)
    confusion(tmp_path / "confusion.png", counts, names, "48.1 %")
    texts = words(tmp_path / "confusion.png")
    assert {"predicted class", "true class", "share of the true class", "48.1 %", *names} <= texts
    assert set(map(str, range(100, 200))) <= texts


def test_a_name_may_be_anything(tmp_path):
    names = ["$$", "$x^$", "_hidden", "caf\udce9", "a\nb", "_"]
    confusion(tmp_path / "confusion.png", np.eye(6, dtype=int), names, "$\\frac$: 1.0 %")
    texts = words(tmp_path / "confusion.png")
    assert {"$$", "$x^$", "_hidden", r"caf\xe9", r"a\nb", "_", "$\\frac$: 1.0 %"} <= texts


def test_the_accuracy_legend_names_the_split_that_the_best_epoch_is_chosen_on(tmp_path):
    accuracy_curve(tmp_path / "accuracy.png", [1, 100], [20.0, 40.0], [30.0, 41.0], 20.0, "validation")
    assert {
        "training step of the checkpoint", "linear-probe validation accuracy (%)", "last epoch",
        "largest class (20.0 %)", "best epoch (chosen on validation data)",
    } <= words(tmp_path / "accuracy.png")  # fmt: skip
