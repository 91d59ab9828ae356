"""Files that anybody may have written: 100,000 damaged or made-up ones end in a value or in one line, and soon.

Hypothesis draws the seeds of damage and whole JSON values; each example of a kind of file stands for many inputs.
"""

import functools
import io
import json
import random
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qssl_tf.config import Config
from qssl_tf.device.ledger import Ledger, checksum
from qssl_tf.distributed.cluster import from_tf_config
from qssl_tf.errors import UserError
from qssl_tf.evaluation.evaluation_files import read_evaluation
from qssl_tf.evaluation.probe_files import read_probe
from qssl_tf.files.read import read_arrays
from qssl_tf.search.plan import read_plan, write_plan
from qssl_tf.search.space import Choice, Range
from qssl_tf.training.history import read_history

SECONDS = 5.0  # for one input, on a busy machine
A_SEED = 40  # damaged inputs
TOKENS = [
    b"null", b"NaN", b"Infinity", b"-1", b"1e999", b"1" * 400, b"9" * 5000, b"true", b'"', b"{", b"}", b"[" * 3000,
    b'"\\ud800"', b"\x00", b"\xff", b",", b"\n", b"\r", "\u2028".encode(), "\u0663".encode(), b"../../etc/passwd",
    b'{"a": ' * 200, b"0.1", b'""', b"[]", b"{}", b"-0", b"1e-400", b"inf", b"\\", b":", b"[[[[]]]]",
]  # fmt: skip

EVALUATION = {"judges": {"knn": {"step": 5, "split": "test", "protocol": "cached", "seconds": 1.5, "readings": [
    {"name": "20 neighbours", "value": 75.0, "unit": "%", "low": 47.0, "high": 91.0, "over": "images",
     "balanced": 75.0, "majority": 58.0, "note": ""},
]}}}  # fmt: skip
PROBE = {
    "split": "test", "protocol": "cached", "step": 25, "features": 8, "n_train": 1437, "n_test": 66,
    "accuracy_last": 88.3, "accuracy_best_epoch": 89.1, "per_class_accuracy": {"0": 90.0, "1": 80.5},
    "confusion": [[30, 2], [1, 33]], "class_names": ["0", "1"], "frozen_sha256": "ab" * 32, "seconds": 1.5,
}  # fmt: skip
ROWS = np.linspace(0, 3, 12).reshape(6, 2)
RECORD = {
    "backend": "fake_manila", "shots": 10, "mitigation": "affine", "seed": 3, "step": 25, "two_qubit_gates": 4,
    "depth": 9, "layout": [0, 1], "estimated_success": 0.9, "contrast": [0.9, 0.95], "class_names": ["0", "1"],
    "seconds": 0.5, "parameters": ["x_000", "x_001"], "checksum": checksum(ROWS),
    "jobs": [{"rows": [0, 1, 2, 3, 4, 5], "tag": "a", "id": None, "state": "planned"}],
}  # fmt: skip
HISTORY = "step,epoch,loss,contrastive_accuracy,learning_rate,seconds\n" + "".join(
    f"{step},1,{5 / step:.4f},0.{step},0.002,0.1\n" for step in range(1, 9)
)
TF_CONFIG = {"cluster": {"worker": ["a:1", "b:2"], "chief": ["c:3"]}, "task": {"type": "worker", "index": 1}}


def packed_arrays():
    file = io.BytesIO()
    np.savez_compressed(file, rows=ROWS, labels=np.arange(6), record=np.array('{"step": 3}'))
    return file.getvalue()


def written(read, name):
    """Return a function (folder, content) that puts the content into a file and reads it."""

    def attempt(folder, content):
        (folder / name).write_bytes(content)
        return read(folder, folder / name)

    return attempt


# Kind -> what reads a folder with a file of it, and a file that is right.
KINDS = {
    "config": (written(lambda folder, path: Config.from_json(path), "config.json"), json.dumps(Config().to_dict())),
    "probe": (written(lambda folder, path: read_probe(path), "probe.json"), json.dumps(PROBE)),
    "evaluation": (written(lambda folder, path: read_evaluation(path), "evaluation.json"), json.dumps(EVALUATION)),
    "ledger": (written(lambda folder, path: Ledger.open(folder), "record.json"), json.dumps(RECORD)),
    "history": (written(lambda folder, path: read_history(path), "history.csv"), HISTORY),
    "search": (written(lambda folder, path: read_plan(folder), "search.json"), None),
    "TF_CONFIG": (lambda folder, content: from_tf_config(content.decode(errors="replace")), json.dumps(TF_CONFIG)),
}
seen = dict.fromkeys([*KINDS, "arrays"], 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from qssl_tf.search.plan import Plan

    made = tmp_path_factory.mktemp("fuzz")
    np.savez(made / "values.npz", rows=ROWS)
    varied = {"width": Choice((4, 6)), "temperature": Range(0.05, 1.0, log=True)}
    write_plan(made, Plan(Config(validation_fraction=0.2), varied, "random", 5, "validation_accuracy", 0))
    return made


def right(kind, folder):
    """Return what a right file of a kind holds."""
    content = KINDS[kind][1]
    return (plan_content(folder) if content is None else content).encode()


@functools.cache
def plan_content(folder):
    return (folder / "search.json").read_text()


def damaged(content, rng):
    """Return the content with one to four places damaged."""
    for _ in range(rng.randint(1, 4)):
        place, length = rng.randrange(len(content) + 1), rng.choice((0, 1, 1, 4, 30, 300))
        change = rng.choice(("flip", "token", "token", "cut", "copy", "drop"))
        if change == "flip" and place < len(content):
            content = content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        elif change == "token":
            content = content[:place] + rng.choice(TOKENS) + content[place + length :]
        elif change == "cut":
            content = content[:place]
        elif change == "copy":
            content = content[:place] + content[place : place + length] * 2 + content[place + length :]
        else:
            content = content[:place] + content[place + length :]
    return content


def attempt(kind, read, folder, content):
    """Read once; what is not a value must be a line for the user."""
    began = time.monotonic()
    try:
        read(folder, content)
    except UserError as error:
        line = str(error)
        assert "\n" not in line and len(line) < 1500 and line.encode(), line[:3000]
    assert time.monotonic() - began < SECONDS
    seen[kind] += 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("x" * 5000),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=8,
)
steady = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), max_examples=500
)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(folder, kind):
    read, whole = KINDS[kind][0], right(kind, folder)
    read(folder, whole)

    @steady
    @given(seed=st.integers(0, 2**63))
    def many(seed):
        rng = random.Random(seed)
        for _ in range(A_SEED):
            attempt(kind, read, folder, damaged(whole, rng))

    many()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "history"])
def test_right_files_with_one_value_made_up(folder, kind):
    """Structure that damage rarely leaves whole: each key in turn gets a value of another kind."""
    read, whole = KINDS[kind][0], json.loads(right(kind, folder))

    def places(value, path=()):
        yield path
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, part in parts:
            yield from places(part, (*path, key))

    every = list(places(whole))

    @steady
    @given(place=st.sampled_from(every), value=json_values, key=st.text(max_size=10))
    def one(place, value, key):
        changed = json.loads(json.dumps(whole))
        if place:
            target = changed
            for step in place[:-1]:
                target = target[step]
            target[place[-1]] = value
        else:
            changed = value if isinstance(value, list) else changed | {key: value}
        attempt(kind, read, folder, json.dumps(changed).encode())

    one()


def test_damaged_arrays(folder):
    whole = packed_arrays()
    path = folder / "arrays.npz"

    def read(folder, content):
        path.write_bytes(content)
        try:
            read_arrays(path, at_most=10_000)
        except ValueError as error:
            raise UserError(str(error).replace("\n", " ")) from None  # as its callers do

    @steady
    @given(seed=st.integers(0, 2**63))
    def many(seed):
        rng = random.Random(seed)
        for _ in range(A_SEED):
            attempt("arrays", read, folder, damaged(whole, rng))

    many()


def test_they_were_a_hundred_thousand():
    if 0 in seen.values():
        pytest.skip("only part of this file was run")
    assert (
        min(seen.values()) >= 20_000 and sum(seen[kind] for kind in ("config", "probe", "ledger", "history")) >= 80_000
    )
    assert sum(seen.values()) >= 100_000
