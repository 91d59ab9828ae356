import dataclasses
import json

import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.search.plan import Plan, read_plan, write_plan
from qssl_tf.search.space import SPACES, Choice, Range

BASE = Config(validation_fraction=0.2)
PLAN = Plan(BASE, SPACES["all"], "bayesian", 7, "loss", 3)


def test_it_survives_its_file(tmp_path):
    varied = {"width": Choice((2, 3), {"head": ("quantum",)}), "temperature": Range(0.1, 1.0, log=True)}
    for plan in (PLAN, dataclasses.replace(PLAN, parameters=varied, trials=None)):
        write_plan(tmp_path, plan)
        again = read_plan(tmp_path)
        assert again == plan and again.differences(plan) == []


def test_what_differs_is_named():
    other = dataclasses.replace(
        PLAN,
        base=dataclasses.replace(BASE, epochs=3),
        parameters=PLAN.parameters | {"temperature": Range(0.2, 0.9)},
        search_seed=4,
        trials=99,
    )
    assert PLAN.differences(other) == [
        "search_seed: 3 against 4",
        "parameter temperature: 0.05 to 1.0 against 0.2 to 0.9",
        "epochs: 100 against 3",
    ]
    fewer = dataclasses.replace(PLAN, parameters={"layers": Choice((1, 2))})
    assert "parameter layers: [1, 2, 3] against [1, 2]" in PLAN.differences(fewer)
    assert "parameter width: [4, 6, 8] against not searched" in PLAN.differences(fewer)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "search.json is damaged ("),
        ("{}", "search.json is damaged (it lacks algorithm); restore it or start another search."),
        (json.dumps(PLAN.to_dict() | {"trials": -1}), "search.json: `trials` must be at least 1; got -1."),
        (json.dumps(PLAN.to_dict() | {"more": 1}), "search.json is damaged ("),
    ],
)
def test_a_damaged_file_is_named_and_kept(tmp_path, text, sentence):
    (tmp_path / "search.json").write_text(text)
    with pytest.raises(UserError) as caught:
        read_plan(tmp_path)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
    assert (tmp_path / "search.json").read_text() == text


def test_no_search(tmp_path):
    write_plan(tmp_path, PLAN)
    with pytest.raises(UserError) as caught:
        read_plan(tmp_path / "other")
    assert str(caught.value) == (
        f"{tmp_path / 'other'} is no search (it holds no search.json); searches in {tmp_path}: none."
    )


def test_losses_of_different_objectives_are_not_compared():
    with pytest.raises(UserError) as caught:
        Plan(BASE, SPACES["objective"], "random", 3, "loss", 0)
    assert str(caught.value) == (
        "`goal` must be another than loss where `objective` varies, whose losses cannot be compared."
    )
    assert "supervised" not in Plan(BASE, SPACES["objective"], "random", 3, "seconds", 0).parameters["objective"].values
