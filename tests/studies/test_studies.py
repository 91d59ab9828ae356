from dataclasses import replace
from pathlib import Path

import cirq
import keras
import pytest

from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.data.sources import load
from qssl_tf.errors import UserError
from qssl_tf.evaluation.published import published_accuracies
from qssl_tf.models.build import build_simclr
from qssl_tf.models.custom_encoder import register_encoder
from qssl_tf.models.heads import build_head
from qssl_tf.quantum.custom_ansatz import register_ansatz
from qssl_tf.studies.arms import ARMS, FEATURE_ARMS, LIBRARY
from qssl_tf.studies.records import read_record
from qssl_tf.studies.studies import STUDIES, probe_batches, run_specs, study
from qssl_tf.training.schedule import schedule

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"


def test_the_papers_batches_are_the_published_ones():
    published_batches = set().union(*(published_accuracies(arm) for arm in ("ring", "classical", "all_to_all")))
    assert set(STUDIES["paper"].batches) == published_batches | {194}


@pytest.mark.parametrize("name", STUDIES)
def test_every_batch_that_is_probed_is_kept(name):
    images = {"paper": 25_000, "states": 10_000, "digits": 1437, "digits-heads": 1437}
    study = STUDIES[name]
    for condition in study.conditions:
        plan = schedule(condition.config, condition.config.train_images or images.get(name, 25_000))
        assert all(plan.keeps(batch) for batch in study.batches), condition.name
        assert plan.steps == study.batches[-1] and study.table_batch in study.batches


@pytest.mark.parametrize("name", STUDIES)
def test_names_are_different_and_the_baseline_is_there(name):
    conditions = STUDIES[name].conditions
    assert len({condition.name for condition in conditions}) == len(conditions)
    assert STUDIES[name].baseline in {condition.series for condition in conditions} <= LIBRARY.keys()


def test_the_paper_study_has_all_arms_with_enough_seeds():
    seeds = {condition.name: condition.seeds for condition in STUDIES["paper"].conditions}
    assert set(seeds) == set(ARMS)
    six_seeds = {"ring", "classical", "all_to_all", "identity", "ring_100_shots"}
    assert {name for name, count in seeds.items() if count >= 6} == six_seeds and min(seeds.values()) >= 3


@pytest.mark.parametrize("features", FEATURE_ARMS)
def test_arms_of_equal_features_have_them(features):
    """Counted by the heads that are built; the circuit comes first, and stands for the baseline."""
    study = STUDIES[f"features-{features}"]
    assert study.baseline == study.conditions[0].name and study.conditions[0].config.head == "quantum"
    for condition in study.conditions:
        assert build_head(condition.config).compute_output_shape((None, 8)) == (None, features), condition.name
    heads = {condition.config.head for condition in study.conditions}
    assert heads == {"quantum", "trigonometric", "cosines", "fourier", "mlp"}


def test_runs_of_the_paper_serve_the_study_of_eight_features():
    ring = STUDIES["paper"].conditions[0]
    assert STUDIES["features-8"].conditions[0].with_seed(4) == ring.with_seed(4)
    specs = run_specs(STUDIES["features-8"], seeds=[0])
    record = read_record(RESULTS, next(spec for spec in specs if spec.condition.name == "ring"))
    assert record.unprobed(STUDIES["features-8"].batches, "cached") == []


def test_images_that_nothing_was_chosen_on_are_others_in_the_same_protocol():
    """But for the classes, settings are those of the paper's arms; the heads are those of the main question."""
    paper = {condition.name: condition.config for condition in STUDIES["paper"].conditions}
    for condition in STUDIES["other-classes"].conditions:
        assert set(condition.config.classes) == set(range(10)) - set(paper[condition.series].classes)
        assert replace(condition.config, classes=paper[condition.series].classes) == paper[condition.series]
    series = {"ring", "classical", "identity", "trigonometric"}
    for name in ("other-classes", "digits-heads"):
        assert {condition.series for condition in STUDIES[name].conditions} == series
        assert {condition.seeds for condition in STUDIES[name].conditions} == {10}


def test_the_other_reproductions_projector_and_loss():
    """papers/qSSL of merlinquantum/reproduced_papers: lib/model.py (`proj`, `InfoNCELoss`) and configs/qiskit.json."""
    config = STUDIES["merlin"].conditions[0].config
    assert (config.objective, config.temperature, config.batch_size, config.width) == ("decoupled", 0.07, 256, 8)
    model = build_simclr(config, (32, 32, 3), AUGMENTATIONS["simclr"](32))
    widths = [layer.units for layer in model.projector.layers if isinstance(layer, keras.layers.Dense)]
    assert widths == [8, 128]


def test_runs_go_seed_by_seed_so_that_pairs_are_complete_early():
    specs = run_specs(STUDIES["paper"], ["classical", "ring", "ry_only"])
    assert [spec.name for spec in specs[:3]] == ["ring-s0", "classical-s0", "ry_only-s0"]
    assert [spec.name for spec in specs[-2:]] == ["ring-s5", "classical-s5"]
    assert specs[-1].config.seed == 5 and specs[-1].config.head == "classical"
    assert [spec.name for spec in run_specs(STUDIES["paper"], ["ry_only"], [9, 7])] == ["ry_only-s9", "ry_only-s7"]


@pytest.mark.parametrize("name", STUDIES)
def test_cells_are_arms_as_well(name):
    """--arms takes the names that --list prints."""
    for condition in STUDIES[name].conditions:
        assert condition in {spec.condition for spec in run_specs(STUDIES[name], [condition.name])}


def test_registered_circuits_and_encoders_are_arms(own_words):
    @register_ansatz("brick")
    def brick(qubits, weights, layer):
        return [cirq.ry(next(weights))(qubit) for qubit in qubits]

    register_encoder("identity")(lambda image_shape: None)  # a word that is an arm already
    paper = {condition.name: condition for condition in study("paper").conditions}
    assert set(paper) == {*ARMS, "brick", "encoder_identity"}
    assert paper["brick"].config == replace(paper["ring"].config, ansatz="brick")
    assert paper["encoder_identity"].config == replace(paper["ring"].config, encoder="identity")
    names = [spec.name for spec in run_specs(study("digits"), ["brick"])]
    assert names == [f"digits-brick-s{seed}" for seed in range(3)]
    widths = [spec.config.width for spec in run_specs(study("width"), ["brick"], [0])]
    assert widths == list(range(2, 17, 2))
    assert study("states") == STUDIES["states"]  # about the published run's states


def test_widths_run_from_2_to_16():
    values = [condition.config.width for condition in STUDIES["width"].conditions if condition.series == "ring"]
    assert values == list(range(2, 17, 2))


def test_the_two_class_run_has_the_papers_39_batches_an_epoch(cifar_dir):
    config = STUDIES["states"].conditions[0].config
    data = load(type(config).from_dict(config.to_dict() | {"data_dir": cifar_dir}))
    assert len(data.train) == 10_000 and schedule(config, len(data.train)).steps_per_epoch == 39
    assert not config.project


def test_batches_of_the_table():
    assert probe_batches(STUDIES["paper"], "table") == (176, 194)
    assert probe_batches(STUDIES["width"], "table") == (194,)


@pytest.mark.parametrize(
    ("arms", "seeds", "sentence"),
    [
        (["rign"], None, r"^`arm` must be one of ring, .*; got 'rign'\. Did you mean 'ring'\?$"),
        (None, [0, 0], r"^`seeds` must be different numbers of at least 0; got \[0, 0\]\.$"),
        (None, [], r"^`seeds` must be different numbers of at least 0; got \[\]\.$"),
    ],
)
def test_bad_choices(arms, seeds, sentence):
    with pytest.raises(UserError, match=sentence):
        run_specs(STUDIES["paper"], arms, seeds)
