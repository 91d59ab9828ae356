import json
import statistics
from pathlib import Path

import pytest

from qssl_tf.errors import UserError
from qssl_tf.evaluation.published import published_accuracies, source

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "jaderberg2022.json"


@pytest.mark.parametrize(
    ("arm", "mean", "sd", "runs"),
    [
        ("classical", 43.49, 1.43, 6),
        ("ring", 46.51, 1.50, 6),
        ("all_to_all", 42.78, 2.38, 6),
        ("ring_100_shots", 46.34, 2.27, 6),
        ("ring_100_shots_partial_measurement", 46.13, 1.31, 5),
    ],
)
def test_the_papers_table(arm, mean, sd, runs):
    """arXiv:2103.14653, batch 176."""
    row = published_accuracies(arm)[176]
    assert (round(row.mean, 2), round(row.sd, 2), row.n) == (mean, sd, runs)


def test_batches_are_every_13_of_each_epoch():
    for arm in ("ring", "classical"):
        batches = list(published_accuracies(arm))
        assert batches[:15] == [*range(1, 98, 13), *range(98, 190, 13)][:15]


def test_every_figure_is_of_the_published_runs():
    if not REFERENCE.is_file():
        pytest.skip("the published runs themselves are not on this machine")
    runs = json.loads(REFERENCE.read_text())
    for arm, table in runs["arms"].items():
        accuracies = published_accuracies(arm)
        assert list(accuracies) == table["batches"]
        for index, row in enumerate(accuracies.values()):
            values = [run[index] for run in table["accuracy_percent"]]
            assert row.n == len(values)
            assert row.mean == pytest.approx(statistics.mean(values), abs=6e-4)
            assert row.sd == pytest.approx(statistics.stdev(values), abs=6e-4)


def test_source_and_unknown_arm():
    assert "arXiv:2103.14653" in source() and "best test epoch" in source()
    with pytest.raises(UserError, match=r"^`published arm` must be one of classical, ring, .*; got 'rign'"):
        published_accuracies("rign")
