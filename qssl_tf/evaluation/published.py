"""The figures published with the paper, for comparison with ours."""

import functools
import json
from importlib import resources

from qssl_tf.errors import unknown_name
from qssl_tf.evaluation.statistics import Summary


@functools.cache
def _tables() -> dict:
    text = resources.files("qssl_tf.evaluation").joinpath("published.json").read_text(encoding="utf-8")
    return json.loads(text)


def source() -> str:
    """Return the source of the figures, and how they were measured."""
    return f"{_tables()['source']}. {_tables()['protocol']}"


def published_confusion(arm: str) -> tuple[list[list[int]], list[str]]:
    """Return counts on ibmq_paris (rows are true classes; 900 images) and the classes' names.

    Args:
        arm: `ring`, which ran on the device, or `classical`, which needs none.
    """
    device = _tables()["device"]
    return device[arm], device["class_names"]


def published_states() -> list[dict[str, float]]:
    """Return a row for each published batch of the two-class run: loss and the columns of `geometry.csv`."""
    states = _tables()["states"]
    return [dict(zip(states["columns"], row, strict=True)) for row in states["rows"]]


def published_accuracies(arm: str) -> dict[int, Summary]:
    """Return batch -> accuracy over the published runs, in percent: the best test epoch of each probe.

    Args:
        arm: `ring`, `all_to_all`, `ring_100_shots`, `ring_100_shots_partial_measurement` or `classical`.

    Raises:
        UserError: No figures were published for that arm.
    """
    arms = _tables()["arms"]
    if arm not in arms:
        raise unknown_name("published arm", arm, arms)
    return {batch: Summary(runs, mean, sd) for batch, mean, sd, runs in arms[arm]}
