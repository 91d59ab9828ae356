import statistics

import pytest
from scipy import stats

from qssl_tf.evaluation.statistics import Summary, summary
from qssl_tf.studies.comparisons import (
    accuracies,
    agreement,
    compare_with_baseline,
    compare_with_published,
    summary_rows,
)

RING, CLASSICAL = [46.0, 47.5, 44.8, 48.1, 46.6, 45.2], [43.0, 44.1, 44.9, 42.2, 43.8, 41.0]


@pytest.fixture
def records(make_record):
    records = []
    for seed, (ring, classical) in enumerate(zip(RING, CLASSICAL, strict=True)):
        records.append(make_record("paper", "ring", seed, {(176, "cached"): (ring, ring + 0.5)}))
        records.append(make_record("paper", "classical", seed, {(176, "cached"): (classical, classical + 0.2)}))
    return records


def test_accuracies_by_seed(records):
    by_seed = accuracies(reversed(records), "ring", 176, "cached")
    assert list(by_seed.last) == list(range(6)) and list(by_seed.last.values()) == RING
    assert list(by_seed.best.values()) == [value + 0.5 for value in RING]
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


def test_the_comparison_with_the_baseline_is_scipys_paired_t_test(records):
    comparisons = compare_with_baseline(records, "ring", ["ring", "classical"], 176)
    judge = stats.ttest_rel(CLASSICAL, RING)
    assert list(comparisons.differences) == ["classical"] and not comparisons.omissions
    difference, interval = comparisons.differences["classical"], judge.confidence_interval()
    assert difference.difference == pytest.approx(statistics.mean(CLASSICAL) - statistics.mean(RING))
    assert difference.p_t == pytest.approx(judge.pvalue) == comparisons.adjusted["classical"]
    assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high))


def test_tests_that_need_more_seeds_are_reported_as_omitted(records, make_record):
    few = [record for record in records if record.condition == "ring" or record.seed < 3]
    few.append(make_record("paper", "identity", 9, {(176, "cached"): (47.0, 47.1)}))
    few.append(make_record("paper", "ry_only", 0, {(176, "cached"): (45.0, 45.1)}))
    comparisons = compare_with_baseline(few, "ring", ["ring", "classical", "identity", "ry_only"], 176)
    assert comparisons.omissions == [
        "identity is not compared: it shares no finished seed with ring.",
        "No t test of ry_only: it needs 2 pairs, and differences that are not all equal.",
        "No Wilcoxon test of classical, ry_only: it needs 6 pairs that differ, and differences that are not all equal.",
    ]
    assert list(comparisons.adjusted) == ["classical"]


def test_equal_differences_have_no_test(make_record):
    records = []
    for seed, (ring, other) in enumerate([(40.18, 41.30), (47.44, 48.56), (46.44, 47.56)]):
        records.append(make_record("paper", "ring", seed, {(176, "cached"): (ring, ring)}))
        records.append(make_record("paper", "identity", seed, {(176, "cached"): (other, other)}))
    comparisons = compare_with_baseline(records, "ring", ["identity"], 176)
    assert comparisons.differences["identity"].p_t is None and comparisons.adjusted == {}
    sentence, *_ = comparisons.omissions
    assert sentence == "No t test of identity: it needs 2 pairs, and differences that are not all equal."


@pytest.mark.parametrize(("mean", "overlap"), [(46.5, True), (40.0, False)])
def test_overlap_with_the_published_figure(mean, overlap):
    comparison = compare_with_published(summary(RING), Summary(6, mean, 1.5))
    assert comparison.overlap is overlap
    judge = stats.ttest_ind_from_stats(
        statistics.mean(RING), statistics.stdev(RING), 6, mean, 1.5, 6, equal_var=False
    ).pvalue
    assert comparison.p == pytest.approx(judge)
    assert compare_with_published(summary([46.0]), Summary(6, mean, 1.5)).p is None


def test_agreement_of_two_protocols(make_record, records):
    assert agreement(records, 176) is None
    both = [
        make_record("paper", "ring", seed, {(176, "cached"): (46.0, 46.5), (176, "paper"): (46.0 + d, 46.5 - d)})
        for seed, d in enumerate((0.3, -0.5))
    ]
    protocols = agreement([*records, *both], 176)
    assert (protocols.n, protocols.last, protocols.largest, protocols.best) == pytest.approx((2, -0.1, 0.5, 0.1))
