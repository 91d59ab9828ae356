import statistics

import pytest
from scipy import stats

from qssl_tf.evaluation.statistics import Summary, summary
from qssl_tf.studies.comparisons import (
    accuracies,
    against_published,
    agreement,
    compared,
    summary_rows,
)

RING, CLASSICAL = [46.0, 47.5, 44.8, 48.1, 46.6, 45.2], [43.0, 44.1, 44.9, 42.2, 43.8, 41.0]


@pytest.fixture
def records(made_up):
    made = []
    for seed, (ring, classical) in enumerate(zip(RING, CLASSICAL, strict=True)):
        made.append(made_up("paper", "ring", seed, {(176, "cached"): (ring, ring + 0.5)}))
        made.append(made_up("paper", "classical", seed, {(176, "cached"): (classical, classical + 0.2)}))
    return made


def test_accuracies_by_seed(records):
    found = accuracies(reversed(records), "ring", 176, "cached")
    assert list(found.last) == list(range(6)) and list(found.last.values()) == RING
    assert list(found.best.values()) == [value + 0.5 for value in RING]
    assert accuracies(records, "ring", 189, "cached") is None


def test_rows_of_the_summary(records):
    rows = summary_rows(records)
    assert [(row["arm"], row["batch"], row["protocol"]) for row in rows] == [
        ("ring", 176, "cached"),
        ("classical", 176, "cached"),
    ]
    assert rows[0]["last_epoch"]["mean"] == pytest.approx(statistics.mean(RING))
    assert rows[0]["last_epoch"]["sd"] == pytest.approx(statistics.stdev(RING))
    assert rows[0]["best_epoch"]["accuracies"][3] == 48.6
    judge = stats.ttest_1samp(RING, 0).confidence_interval()
    assert (rows[0]["last_epoch"]["low"], rows[0]["last_epoch"]["high"]) == pytest.approx((judge.low, judge.high))


def test_against_the_baseline_is_scipys_paired_test(records):
    found = compared(records, "ring", ["ring", "classical"], 176)
    judge = stats.ttest_rel(CLASSICAL, RING)
    assert list(found.found) == ["classical"] and not found.left_out
    assert found.found["classical"].difference == pytest.approx(statistics.mean(CLASSICAL) - statistics.mean(RING))
    assert found.found["classical"].p_t == pytest.approx(judge.pvalue) == found.adjusted["classical"]
    interval = judge.confidence_interval()
    assert (found.found["classical"].low, found.found["classical"].high) == pytest.approx((interval.low, interval.high))


def test_tests_that_need_more_seeds_are_named(records, made_up):
    few = [record for record in records if record.cell == "ring" or record.seed < 3]
    few.append(made_up("paper", "identity", 9, {(176, "cached"): (47.0, 47.1)}))
    few.append(made_up("paper", "ry_only", 0, {(176, "cached"): (45.0, 45.1)}))
    found = compared(few, "ring", ["ring", "classical", "identity", "ry_only"], 176)
    assert found.left_out == [
        "identity is not compared: it shares no finished seed with ring.",
        "No t test of ry_only: it needs 2 pairs, and differences that are not all equal.",
        "No Wilcoxon test of classical, ry_only: it needs 6 pairs that differ, and differences that are not all equal.",
    ]
    assert list(found.adjusted) == ["classical"]


def test_equal_differences_have_no_test(made_up):
    made = []
    for seed, (ring, other) in enumerate([(40.18, 41.30), (47.44, 48.56), (46.44, 47.56)]):
        made.append(made_up("paper", "ring", seed, {(176, "cached"): (ring, ring)}))
        made.append(made_up("paper", "identity", seed, {(176, "cached"): (other, other)}))
    found = compared(made, "ring", ["identity"], 176)
    assert found.found["identity"].p_t is None and found.adjusted == {}
    assert found.left_out[0] == "No t test of identity: it needs 2 pairs, and differences that are not all equal."


@pytest.mark.parametrize(("mean", "overlap"), [(46.5, True), (40.0, False)])
def test_overlap_with_the_published_figure(mean, overlap):
    judged = against_published(summary(RING), Summary(6, mean, 1.5))
    assert judged.overlap is overlap
    judge = stats.ttest_ind_from_stats(
        statistics.mean(RING), statistics.stdev(RING), 6, mean, 1.5, 6, equal_var=False
    ).pvalue
    assert judged.p == pytest.approx(judge)
    assert against_published(summary([46.0]), Summary(6, mean, 1.5)).p is None


def test_agreement_of_two_protocols(made_up, records):
    assert agreement(records, 176) is None
    both = [
        made_up("paper", "ring", seed, {(176, "cached"): (46.0, 46.5), (176, "paper"): (46.0 + d, 46.5 - d)})
        for seed, d in enumerate((0.3, -0.5))
    ]
    found = agreement([*records, *both], 176)
    assert (found.n, found.last, found.largest, found.best) == pytest.approx((2, -0.1, 0.5, 0.1))
