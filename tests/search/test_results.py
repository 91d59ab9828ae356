import csv
import json

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.search.figures import draw_search, pareto
from qssl_tf.search.plan import Plan
from qssl_tf.search.results import Row, best, best_config, write_results
from qssl_tf.search.space import Choice, Range

PLAN = Plan(
    Config(validation_fraction=0.2, steps=90),
    {"shots": Choice((None, 10)), "temperature": Range(0.1, 1.0, log=True)},
    "hyperband",
    None,
    "validation_accuracy",
    0,
)


def row(number, accuracy, share=1.0, state="completed", **settings):
    figures = {
        "validation_accuracy": accuracy, "contrastive_accuracy": 5.0, "loss": 4.0, "parameters": 1000.0 + number,
        "seconds": 10.0 * number,
    }  # fmt: skip
    return Row(number, state, figures if state == "completed" else {}, settings, share, "" if figures else "x")


ROWS = [
    row(0, 40.0, shots=None, temperature=0.2),
    row(1, 90.0, share=1 / 9, shots=10, temperature=0.3),
    row(2, 60.0, shots=10, temperature=0.5),
    row(3, 0.0, state="failed", shots=None, temperature=0.9),
    row(4, 0.0, state="running", shots=None, temperature=0.7),
]


def test_the_best_is_among_those_that_trained_longest():
    assert best(PLAN, ROWS) is ROWS[2]
    assert best(PLAN, ROWS[1:2]) is ROWS[1] and best(PLAN, ROWS[3:]) is None


def test_less_can_be_better():
    import dataclasses

    assert best(dataclasses.replace(PLAN, objective="seconds"), ROWS) is ROWS[0]


def test_the_best_settings_are_for_a_whole_run():
    chosen = best_config(PLAN, ROWS[2])
    assert (chosen.shots, chosen.temperature, chosen.validation_fraction, chosen.steps) == (10, 0.5, 0.0, 90)


def test_files(tmp_path):
    write_results(tmp_path, PLAN, ROWS)
    with open(tmp_path / "trials.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["state"] for line in table] == ["completed", "completed", "completed", "failed", "running"]
    assert table[0]["shots"] == "none" and float(table[2]["validation_accuracy"]) == 60.0
    assert table[1]["share_of_steps"] == "0.1111" and table[3]["loss"] == ""
    assert json.loads((tmp_path / "best.json").read_text())["temperature"] == 0.5


def test_figures(tmp_path):
    assert draw_search(tmp_path, PLAN, ROWS[3:]) == []
    paths = draw_search(tmp_path, PLAN, ROWS)
    for path in paths:
        assert path.stat().st_size > 5000


def test_points_of_the_front_have_their_trials_numbers(tmp_path):
    """Of three trials that cost more and are better each, all are on both fronts."""
    rows = [row(number, 40.0 + number, shots=10, temperature=0.5) for number in (17, 38, 59)]
    _, costs = draw_search(tmp_path, PLAN, rows)
    drawn = costs.with_suffix(".svg").read_text()
    assert [drawn.count(f"<!-- {number} -->") for number in (17, 18, 38, 39, 59)] == [2, 0, 2, 0, 2]


@pytest.mark.parametrize("larger_is_better", [True, False])
def test_the_front_is_what_nothing_beats(larger_is_better):
    rng = np.random.default_rng(4)
    points = [(float(c), float(v)) for c, v in rng.integers(0, 12, (60, 2))]
    sign = 1 if larger_is_better else -1

    def beaten(point):
        return any(other != point and other[0] <= point[0] and sign * other[1] >= sign * point[1] for other in points)

    assert pareto(points, larger_is_better) == sorted({point for point in points if not beaten(point)})
