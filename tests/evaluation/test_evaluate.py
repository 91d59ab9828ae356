"""A short run before its judges: what the table, the files, the command and the page say, and what is refused."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

import qssl_tf as q
from qssl_tf.evaluation.evaluation_files import aligned, read_evaluation
from qssl_tf.evaluation.evaluation_options import EvaluationOptions
from qssl_tf.evaluation.evaluators import ALL, EVALUATORS, chosen, left_out
from qssl_tf.evaluation.geometry import effective_rank, linear_cka, uniformity

SHORT = {"probe_epochs": 2, "probe_passes": 1}
QUICK = ["linear", "knn", "few", "fractions", "alignment", "rank"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def data():
    """Three classes of stripes, one of them rare."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [100, 60, 20])
    pixels = rng.integers(0, 60, (180, 8, 8, 1))
    for label in range(3):
        pixels[labels == label, :, 2 * label : 2 * label + 3] += 150
    return q.ImageData.from_arrays(
        pixels.astype(np.uint8), [("a", "b", "c")[label] for label in labels], name="stripes"
    )


@pytest.fixture(scope="module")
def run(folder, data):
    config = q.Config(head="classical", width=3, layers=1, steps=4, batch_size=32)  # quick to compile
    return q.pretrain(data, config, runs_dir=folder, name="one")


@pytest.fixture(scope="module")
def asked(run):
    """The quick judges with two draws; 1 % of the labels would leave classes empty."""
    before = contents(run.folder)
    found = q.evaluate(run, images_per_class=[1, 5], draws=2, **SHORT)
    assert before.items() <= contents(run.folder).items()  # nothing of the run is another than before
    return found


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_quick_judges_are_asked_and_who_cannot_judge_is_told(asked):
    assert list(asked.readings) == [name for name in QUICK if name != "fractions"]
    assert asked.left_out == {
        "fractions": "`fractions` must leave each class an image, and 0.01 of 144 leaves class 'c' without one, which "
        "has 16; take a larger part, or leave the judge out."
    }


def test_values_are_those_of_the_runs_features(asked, run):
    train, test = run.data.train, run.data.test
    x, features = run.features(train.images), run.features(test.images)
    judge = KNeighborsClassifier(20, algorithm="brute", weights=lambda far: np.exp(-(far**2) / 2 / 0.07))
    right = judge.fit(normalize(x), train.labels).predict(normalize(features)) == test.labels
    found = asked.readings["knn"]["20 neighbours, temperature 0.07"]
    assert found.value == pytest.approx(100 * np.mean(right))
    assert found.balanced == pytest.approx(100 * np.mean([right[test.labels == label].mean() for label in range(3)]))
    assert found.majority == pytest.approx(100 * 20 / 36)
    assert asked.readings["rank"]["effective rank of features"].value == pytest.approx(
        effective_rank(features), rel=1e-4
    )
    assert asked.readings["rank"]["effective rank of features"].note == "at most 3 of 3 features, 36 images"
    assert asked.readings["alignment"]["uniformity of features"].value == pytest.approx(uniformity(features), rel=1e-4)


def test_the_linear_judge_is_the_probe(asked, run):
    probe = q.linear_probe(run, **SHORT)
    found = asked.readings["linear"]["accuracy"]
    assert (found.value, found.balanced, found.majority) == pytest.approx(
        (probe.accuracy_last, probe.balanced_accuracy, probe.majority_share)
    )
    assert found.note == "36 test images, 3 features, 144 labels"


def test_the_files_hold_the_table(asked, run):
    stored = json.loads(asked.path.read_text())["judges"]
    assert list(stored) == list(asked.readings) and {entry["step"] for entry in stored.values()} == {4}
    with open(asked.path.with_suffix(".csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    flat = [(judge, name, one) for judge, readings in asked.readings.items() for name, one in readings.items()]
    assert [(row["judge"], row["name"]) for row in rows] == [(judge, name) for judge, name, _ in flat]
    for row, (_, _, one) in zip(rows, flat, strict=True):
        assert float(row["value"]) == one.value and row["balanced"] == (
            "" if one.balanced is None else str(one.balanced)
        )
    lines = asked.table().splitlines()
    assert len(lines) == 1 + len(flat) and lines[0].split("  ")[0] == "judge"
    starts = {line.index(name) for line, (_, name, _) in zip(lines[1:], flat, strict=True)}
    assert len(starts) == 1


def test_columns_stand_below_each_other():
    assert aligned(("a", "long"), [("xyz", "1"), ("", "22")]) == "a    long\nxyz  1\n     22"


def test_a_judge_that_is_asked_again_replaces_its_own_word_alone(asked, run, data):
    before = read_evaluation(asked.path)
    other = q.ImageData.from_arrays(np.random.default_rng(1).random((60, 12, 12)), np.arange(60) % 2, name="noise")
    found = q.evaluate(run, judges=["transfer", "cka", "rank"], probe_dataset=other, cka_with=run, **SHORT)
    assert list(found.readings) == ["rank", "transfer", "cka"] and not found.left_out
    assert found.readings["cka"]["linear CKA with one, step 4"].value == pytest.approx(1)
    transfer = found.readings["transfer"]["linear probe"]
    assert (
        transfer.note == "12 images of noise, 3 features, 48 labels" and transfer.majority == 50.0
    )  # 12 x 12 to 8 x 8
    after = read_evaluation(asked.path)
    assert list(after) == [*(name for name in EVALUATORS if name in {*before, "transfer", "cka"})]
    assert {name: after[name] for name in before if name != "rank"} == {
        name: entry for name, entry in before.items() if name != "rank"
    }


def test_earlier_weights_have_files_of_their_own(run):
    found = q.evaluate(q.load_run(run.folder, 0), run.own_data, judges=["rank"])
    assert found.path.name == "evaluation-step-000000.json"
    other = q.load_run(run.folder, 0)
    assert linear_cka(run.features(run.data.test.images), other.features(run.data.test.images)) < 1


def test_what_the_head_adds_is_drawn_and_stands_on_the_page(run, folder, data):
    other = q.pretrain(data, dataclasses.replace(run.config, seed=1), runs_dir=folder, name="two")
    found = q.evaluate(run, judges=["head", "rank"], draws=2, seeds=[other], **SHORT)
    whole, encoder = (found.readings["head"][name] for name in ("head", "encoder without head"))
    difference = found.readings["head"]["head minus encoder without head"]
    assert difference.over == "seeds" and difference.value == pytest.approx(whole.value - encoder.value)
    assert found.figures == [run.folder / "figures" / "head.png"]
    page = q.write_report(run).read_text()
    assert "what the head adds" in page and "head minus encoder without head" in page
    with pytest.raises(q.UserError, match=r"^`seeds` must be runs of different seeds; .*two has 1 again\.$"):
        q.evaluate(run, judges=["head"], seeds=[other, other])
    wider = q.pretrain(data, dataclasses.replace(run.config, layers=2, seed=3), runs_dir=folder, name="three")
    with pytest.raises(q.UserError, match=r"those of .*three are others \(layers: 1 against 2\)\.$"):
        q.evaluate(run, judges=["head"], seeds=[wider])
    assert "mean taken away" in page


COLOUR = q.ImageData.from_arrays(np.zeros((20, 8, 8, 3), np.uint8), np.arange(20) % 2, name="photos")
OTHERS = q.ImageData.from_arrays(np.random.default_rng(2).random((60, 8, 8)), np.arange(60) % 3, name="others")
WRONG = {
    "an unknown judge": ({"judges": ["liner"]}, "`judges` must be one of linear, knn, .*; got 'liner'. Did you mean"),
    "no judge": ({"judges": []}, "`judges` must name one at least: linear, .*; got none."),
    "no data set": ({"judges": ["transfer"]}, "the judge 'transfer' must have `probe_dataset`; give it."),
    "no run to compare": ({"judges": ["cka"]}, "the judge 'cka' must have `cka_with`; give it."),
    "no judge for it": (
        {"judges": ["knn"], "cka_with": "x"}, "`cka_with` must come with the judge 'cka'; add it to `judges`.",
    ),
    "other channels": (
        {"probe_dataset": COLOUR},
        "`probe_dataset` must have images of 1 channel, as the run has; those of photos have 3 channels.",
    ),
    "an empty class": ({"judges": ["fractions"]}, "`fractions` must leave each class an image, .* leaves class 'c'"),
    "a rare class": (
        {"judges": ["few"], "images_per_class": [17]},
        "`images_per_class` must be at most .*, and class 'c' has 16; got 17.",
    ),
    "a part of all": ({"fractions": [1.0]}, r"`fractions` must be up to 16 different numbers .*; got \[1.0\]."),
    "parts twice": ({"fractions": [0.1, 0.1]}, "`fractions` must be up to 16 different numbers"),
    "half an image": ({"images_per_class": [0]}, r"`images_per_class` must be up to 16 .*; got \[0\]."),
    "one draw": ({"draws": 1}, "`draws` must be a whole number from 2 to 1000; got 1."),
    "no epoch": ({"finetune_epochs": 0}, "`finetune_epochs` must be a whole number from 1 to 1000000; got 0."),
    "no rate": ({"finetune_learning_rate": 0.0}, "`finetune_learning_rate` must be a number above 0; got 0.0."),
    "a folder alone": ({"probe_data_dir": "x"}, "`probe_data_dir` must come with `probe_dataset`"),
    "a seed's text": ({"seeds": "runs/x"}, "`seeds` must be a list of runs or of their folders; got 'runs/x'."),
    "no validation": ({"split": "validation"}, "`split` 'validation' needs held-out images"),
    "a wrong setting": ({"width": 3}, "`width` is the run's and stands; a probe takes settings"),
    "an unknown one": ({"judge": ["knn"]}, "evaluate has no argument `judge`. Did you mean `judges`"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_mistakes_are_one_line(run, what):
    arguments, sentence = WRONG[what]
    with pytest.raises(q.UserError, match=f"^{sentence}") as caught:
        q.evaluate(run, **arguments)
    assert "\n" not in str(caught.value)


def test_runs_on_other_images_are_not_compared(run, folder):
    other = q.pretrain(OTHERS, run.config, runs_dir=folder, name="others")
    with pytest.raises(q.UserError, match=r"^`cka_with` must be a run with the same test images; those of .*differ in"):
        q.evaluate(run, cka_with=other)


def test_images_without_labels_have_alignment_and_rank(folder):
    bare = q.ImageData.from_arrays(np.random.default_rng(2).random((60, 8, 8)), test_images=np.zeros((9, 8, 8)))
    unlabelled = q.pretrain(bare, q.Config(width=2, layers=1, steps=1, batch_size=16), runs_dir=folder, name="bare")
    found = q.evaluate(unlabelled)
    assert list(found.readings) == ["alignment", "rank"]
    assert found.readings["alignment"]["uniformity of features"].value == pytest.approx(0, abs=1e-6)  # equal images
    assert found.left_out["linear"].startswith("a linear probe needs labels, and")


def test_a_damaged_file_is_one_line(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    for text in ("{", "[]", '{"judges": {"rank": {"step": 4}}}'):
        (copy / "evaluation.json").write_text(text)
        with pytest.raises(q.UserError, match=r"is not an evaluation \(.*\); remove it, and evaluate the run again\.$"):
            q.evaluate(copy, run.own_data, judges=["rank"])


def test_the_table_of_judges_names_functions():
    assert all(callable(judge.load()) and judge.about for judge in EVALUATORS.values())
    assert [name for name, judge in EVALUATORS.items() if judge.quick] == QUICK


def test_the_page_has_the_same_table():
    page = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "evaluate.md").read_text(encoding="utf-8")
    asked = {name: "yes" if one.quick else f"with `--{one.needs.replace('_', '-')}`" if one.needs else "no"
             for name, one in EVALUATORS.items()}  # fmt: skip
    rows = [f"| `{name}` | {asked[name]} | {judge.about} |" for name, judge in EVALUATORS.items()]
    assert "\n".join(rows) in page


def test_who_is_asked():
    plain = EvaluationOptions()
    assert chosen(None, plain) == QUICK
    assert chosen([ALL], plain) == [*QUICK, "head", "finetune"]
    assert chosen(None, EvaluationOptions(cka_with="x", seeds=["y"])) == [*QUICK, "cka", "head"]
    assert chosen(["rank", "knn"], plain) == ["knn", "rank"]
    assert left_out(QUICK) == (
        "not asked: head, finetune, transfer (with `probe_dataset`), cka (with `cka_with`); name them in `judges`, or "
        "take `judges='all'`"
    )
