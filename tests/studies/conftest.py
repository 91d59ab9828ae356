"""Synthetic records."""

import pytest

from qssl_tf.studies.records import ProbeRecord, Record
from qssl_tf.studies.studies import STUDIES, RunSpec


@pytest.fixture(scope="session")
def make_record():
    """Return a function (study, condition, seed, {(batch, protocol): (last, best)}) -> record."""

    def make(study, condition, seed, accuracies, **changes):
        spec = RunSpec(next(one for one in STUDIES[study].conditions if one.name == condition), seed)
        steps = STUDIES[study].batches[-1]
        probes = [ProbeRecord(batch, protocol, *values, 6.0) for (batch, protocol), values in accuracies.items()]
        row = {"step": 1.0, "positive_overlap": 0.5, "hilbert_schmidt_distance": 0.2, "purity_pair": 0.7}
        values = {
            "condition": condition,
            "seed": seed,
            "config": spec.config.to_dict(),
            "versions": {"tensorflow": "2.18.1", "dataset": "cifar10/3.0.2"},
            "train_images": 25_000,
            "test_images": 5000,
            "steps": steps,
            "train_seconds": 80.0,
            "parameters": [32, 11_180_800],
            "losses": [6.0 - 0.01 * step for step in range(steps)],
            "geometry": [row | {"purity_others": 0.4}],
            "probes": probes,
            "class_names": ["a", "b"],
            "confusion": [[3, 1], [2, 4]],
        }
        return Record(**values | changes)

    return make
