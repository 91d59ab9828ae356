"""Which runs stand beside each other, and what is written of them."""

import csv
import json
import re
from dataclasses import replace

import pytest
from scipy import stats

from qssl_tf.comparison.comparison import compared
from qssl_tf.comparison.files import write_comparison
from qssl_tf.comparison.observations import Observation
from qssl_tf.errors import UserError

RING, IDENTITY = [46.9, 47.2, 43.9, 44.0, 43.2, 46.2], [48.1, 48.2, 44.9, 47.3, 47.5, 46.7]
DATA = ("cifar10/3.0.2", 5000, ("a", "b"))


def run(arm, seed, accuracy, **changes):
    values = {
        "arm": arm, "seed": seed, "accuracy": accuracy, "source": f"runs/{arm}-s{seed}", "data": DATA,
        "test_sha256": "0" * 64, "settings": {"head": arm}, "probe": "cached probe of the last step",
        "versions": {"python": "3.11.7", "tensorflow": "2.18.1", "machine": "x", "commit": f"{seed}"},
        "probe_settings": {"probe_epochs": 100, "probe_batch_size": 64} if seed else {},  # of an earlier version
    }  # fmt: skip
    return Observation(**values | changes)


@pytest.fixture
def runs():
    arms = {"ring": RING, "identity": IDENTITY}
    return [run(arm, seed, value) for arm, values in arms.items() for seed, value in enumerate(values)]


def test_rows_are_scipys(runs):
    base, other = compared(runs, None, 1.5).rows
    judge = stats.ttest_rel(IDENTITY, RING)
    assert (base["arm"], base["pairs"], other["baseline"], other["pairs"]) == ("ring", None, "ring", 6)
    assert (other["p_t"], other["p_t_holm"]) == pytest.approx((judge.pvalue, judge.pvalue))
    ends = judge.confidence_interval()
    assert (other["difference_low"], other["difference_high"]) == pytest.approx((ends.low, ends.high))
    assert other["p_wilcoxon"] == pytest.approx(stats.wilcoxon(IDENTITY, RING).pvalue)
    own = stats.ttest_1samp(IDENTITY, 0).confidence_interval()
    assert (other["low"], other["high"]) == pytest.approx((own.low, own.high))


def test_the_baseline_may_be_any_arm(runs):
    _, other = compared(runs, "identity", 1.5).rows
    assert (other["arm"], other["baseline"]) == ("ring", "identity")


def test_a_missing_seed_is_named_and_left_out_of_the_pairs(runs):
    found = compared([one for one in runs if (one.arm, one.seed) != ("identity", 3)], None, 1.5)
    assert found.rows[1]["pairs"] == 5
    assert found.rows[1]["difference"] == pytest.approx(sum(IDENTITY[k] - RING[k] for k in (0, 1, 2, 4, 5)) / 5)
    assert "ring has seed 3 and identity has not: no pair." in found.omissions


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"versions": {"python": "3.11.7", "tensorflow": "2.19.0"}},
            "identity seed 2 (runs/identity-s2) is left out: it was made by tensorflow 2.19.0 (2.18.1), in brackets "
            "what most have.",
        ),
        (
            {"settings": {"head": "identity", "width": 6}},
            "identity seed 2 (runs/identity-s2) is left out: it has width 6 (8), in brackets what most have.",
        ),
        (
            {"probe_settings": {"probe_epochs": 2, "probe_batch_size": 64}},
            "identity seed 2 (runs/identity-s2) is left out: it was probed with probe_epochs 2 (100), in brackets what "
            "most have.",
        ),
        (
            {"probe": "paper probe of the last step"},
            "identity seed 2 (runs/identity-s2) is left out: it has a paper probe of the last step where the others "
            "have a cached probe of the last step.",
        ),
    ],
)
def test_runs_of_another_kind_are_named_and_left_out(runs, changes, sentence):
    runs = [replace(one, settings=dict(one.settings) | {"width": 8}) for one in runs]
    runs = [replace(one, **changes) if (one.arm, one.seed) == ("identity", 2) else one for one in runs]
    found = compared(runs, None, 1.5)
    assert sentence in found.omissions and found.rows[1]["pairs"] == 5
    assert list(found.accuracies["identity"]) == [0, 1, 3, 4, 5]


def test_a_seed_that_an_arm_has_twice_counts_once(runs):
    found = compared([*runs, run("ring", 0, 99.0, source="runs/again")], None, 1.5)
    assert found.accuracies["ring"][0] == RING[0]
    assert "runs/again is left out: ring has another run of seed 0." in found.omissions


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"data": ("digits", 360, ("0", "1", "2"))},
            "runs/ring-s0 has 5000 of cifar10/3.0.2 in 2 classes, runs/identity-s1 360 of digits in 3 classes: leave "
            "out one of them.",
        ),
        (
            {"test_sha256": "1" * 64},
            "those of runs/ring-s0 and runs/identity-s1 are 5000 of cifar10/3.0.2 each, with other pixels or labels: "
            "leave out one of them.",
        ),
    ],
)
def test_other_test_images_are_refused(runs, changes, sentence):
    runs = [replace(one, **changes) if (one.arm, one.seed) == ("identity", 1) else one for one in runs]
    with pytest.raises(UserError) as caught:
        compared(runs, None, 1.5)
    assert str(caught.value) == f"compared runs must be judged on the same test images; {sentence}"


def test_the_same_images_may_lie_in_memory_and_in_a_store(runs):
    """A store keeps a checksum for each image, so the two fingerprints of equal images are never equal."""
    stored = [replace(one, test_sha256=f"images-{'1' * 64}") if one.seed % 2 else one for one in runs]
    assert compared(stored, None, 1.5).rows[1]["pairs"] == 6
    stored[-1] = replace(stored[-1], test_sha256=f"images-{'2' * 64}")
    with pytest.raises(UserError, match="those of runs/ring-s1 and runs/identity-s5 are 5000 of cifar10/3.0.2 each"):
        compared(stored, None, 1.5)


def test_one_arm_or_one_seed_is_no_comparison(runs):
    with pytest.raises(UserError, match=r"^a comparison must have at least two arms; got ring; give runs of others as"):
        compared(runs[:6], None, 1.5)
    with pytest.raises(UserError) as caught:
        compared([runs[0], runs[6], runs[7]], None, 1.5)
    assert str(caught.value) == (
        "an arm must share at least 2 seeds with ring, since one pair has no spread; got 1 of identity: "
        "identity has seed 1 and ring has not: no pair."
    )
    with pytest.raises(UserError, match=r"^`baseline` must be one of ring, identity; got 'rnig'\. Did you mean 'ring'"):
        compared(runs, "rnig", 1.5)


def test_every_file_says_the_same(runs, tmp_path):
    awkward = [replace(one, arm="=1+1|x" if one.arm == "identity" else one.arm) for one in runs]
    found = write_comparison(tmp_path / "results", compared(awkward, None, 1.5), "qssl compare runs/*")
    folder = found.folder
    with open(folder / "comparison.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    values = json.loads((folder / "comparison.json").read_text())
    assert [row["arm"] for row in table] == ["ring", "'=1+1|x"]  # no spreadsheet runs it
    for row, written, kept in zip(found.rows, values["arms"], table, strict=True):
        assert row == written
        for name in ("mean", "low", "high", "difference", "p_t", "p_equivalence_holm"):
            assert kept[name] == ("" if row[name] is None else repr(row[name]))
    assert [float(part) for part in table[1]["accuracies"].split()] == IDENTITY
    page, tex = (folder / "comparison.md").read_text(), (folder / "comparison.tex").read_text()
    assert "+1.88 ± 1.54" in page and "&#124;x" in page and "qssl compare runs/*" in page
    assert tex.count(r"\begin{tabular}") == tex.count(r"\end{tabular}") == 2 and "$+$1.88" in tex
    assert (folder / "figures/comparison.png").read_bytes().startswith(b"\x89PNG")
    svg = (folder / "figures/comparison.svg").read_text()
    assert "margin, ±1.5 points" in svg and "=1+1|x (6)" in svg
    rows = re.findall(r"^\|.*\|$", page, re.M)
    assert len({line.count("|") for line in rows[:4]}) == 1
    lines = str(found).splitlines()
    assert lines[0].split()[:2] == ["arm", "seeds"] and found._repr_markdown_() in page
    told = {word for line in lines for word in re.split("  +", line)}
    shown = {word for row in rows for word in re.split(r" ?\| ?", row)} - {"", "---", "each seed"}
    assert {word for word in shown if ", " not in word and "&#" not in word} <= told  # no column is lost
    assert max(map(len, lines)) <= 100
