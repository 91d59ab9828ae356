import json
from dataclasses import replace

import pytest

from qssl_tf.errors import UserError
from qssl_tf.studies.records import read_record, record_path, refuse_mixed_data, write_record
from qssl_tf.studies.studies import STUDIES, RunSpec

SPEC = RunSpec(STUDIES["paper"].conditions[0], 3)


@pytest.fixture
def record(make_record):
    return make_record("paper", "ring", 3, {(176, "cached"): (46.0, 46.5), (194, "cached"): (47.0, 47.5)})


def test_round_trip(tmp_path, record):
    assert read_record(tmp_path, SPEC) is None
    write_record(tmp_path, SPEC, record)
    assert read_record(tmp_path, SPEC) == record
    assert record_path(tmp_path, SPEC).name == "ring-s3.json"


def test_accuracies_and_missing_probes(record):
    assert record.accuracy(176, "cached") == 46.0 and record.accuracy(176, "cached", best=True) == 46.5
    assert record.accuracy(176, "paper") is None
    assert record.unprobed((163, 176, 194), "cached") == [163]


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", "cut", "extra", "probe", "config"])
def test_damaged_records_are_refused_in_one_line(tmp_path, record, damage):
    write_record(tmp_path, SPEC, record)
    path = record_path(tmp_path, SPEC)
    values = json.loads(path.read_text())
    texts = {
        "cut": path.read_text()[:-100],
        "extra": json.dumps(values | {"new": 1}),
        "probe": json.dumps(values | {"probes": [{"batch": 1}]}),
        "config": json.dumps(values | {"config": values["config"] | {"width": "8"}}),
    }
    path.write_text(texts.get(damage, damage))
    with pytest.raises(UserError) as caught:
        read_record(tmp_path, SPEC)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_record_of_another_run_is_named_with_its_differences(tmp_path, record):
    write_record(tmp_path, SPEC, replace(record, config=record.config | {"seed": 4, "width": 6}))
    with pytest.raises(UserError) as caught:
        read_record(tmp_path, SPEC)
    assert str(caught.value) == (
        f"{record_path(tmp_path, SPEC)} is not a run of ring with seed 3, or was made by another version "
        "(width: 8 against 6; seed: 3 against 4); move it away."
    )


def test_data_dir_may_differ(tmp_path, record):
    write_record(tmp_path, SPEC, replace(record, config=record.config | {"data_dir": "elsewhere"}))
    assert read_record(tmp_path, SPEC) is not None


def test_runs_on_different_data_are_not_compared(record):
    refuse_mixed_data([record, replace(record, seed=4)])
    with pytest.raises(UserError) as caught:
        refuse_mixed_data([record, replace(record, seed=4, test_images=10_000)])
    assert str(caught.value) == (
        "records of ring must be of the same data; seed 3 has cifar10/3.0.2 with 25000 + 5000 images, seed 4 "
        "cifar10/3.0.2 with 25000 + 10000: move one away."
    )
