from dataclasses import replace

import cirq
import pytest

from qssl_tf.data.sources import load
from qssl_tf.errors import UserError
from qssl_tf.evaluation.published import published_accuracies
from qssl_tf.models.own_encoder import register_encoder
from qssl_tf.quantum.own_ansatz import register_ansatz
from qssl_tf.studies.arms import ARMS
from qssl_tf.studies.studies import STUDIES, pairs, study, wanted_batches
from qssl_tf.training.schedule import schedule


def test_the_papers_batches_are_the_published_ones():
    published_batches = set().union(*(published_accuracies(arm) for arm in ("ring", "classical", "all_to_all")))
    assert set(STUDIES["paper"].batches) == published_batches | {194}


@pytest.mark.parametrize("name", STUDIES)
def test_every_batch_that_is_probed_is_kept(name):
    images = {"paper": 25_000, "states": 10_000, "digits": 1437}
    study = STUDIES[name]
    for cell in study.cells:
        plan = schedule(cell.config, cell.config.train_images or images.get(name, 25_000))
        assert all(plan.keeps(batch) for batch in study.batches), cell.name
        assert plan.steps == study.batches[-1] and study.table in study.batches


@pytest.mark.parametrize("name", STUDIES)
def test_names_are_different_and_the_baseline_is_there(name):
    cells = STUDIES[name].cells
    assert len({cell.name for cell in cells}) == len(cells)
    assert STUDIES[name].baseline in {cell.series for cell in cells} <= set(ARMS)


def test_the_paper_study_has_all_arms_with_enough_seeds():
    seeds = {cell.name: cell.seeds for cell in STUDIES["paper"].cells}
    assert set(seeds) == set(ARMS)
    many = {"ring", "classical", "all_to_all", "identity", "ring_100_shots"}
    assert {name for name, count in seeds.items() if count >= 6} == many and min(seeds.values()) >= 3


def test_seeds_come_one_after_the_other_so_that_pairs_are_complete_early():
    made = pairs(STUDIES["paper"], ["classical", "ring", "ry_only"])
    assert [pair.name for pair in made[:3]] == ["ring-s0", "classical-s0", "ry_only-s0"]
    assert [pair.name for pair in made[-2:]] == ["ring-s5", "classical-s5"]
    assert made[-1].config.seed == 5 and made[-1].config.head == "classical"
    assert [pair.name for pair in pairs(STUDIES["paper"], ["ry_only"], [9, 7])] == ["ry_only-s9", "ry_only-s7"]


@pytest.mark.parametrize("name", STUDIES)
def test_cells_are_arms_as_well(name):
    """What --list prints can be asked for."""
    for cell in STUDIES[name].cells:
        assert cell in {pair.cell for pair in pairs(STUDIES[name], [cell.name])}


def test_own_circuits_and_encoders_are_arms(own_words):
    @register_ansatz("brick")
    def brick(qubits, weights, layer):
        return [cirq.ry(next(weights))(qubit) for qubit in qubits]

    register_encoder("identity")(lambda image_shape: None)  # a word that is an arm already
    paper = {cell.name: cell for cell in study("paper").cells}
    assert set(paper) == {*ARMS, "brick", "encoder_identity"}
    assert paper["brick"].config == replace(paper["ring"].config, ansatz="brick")
    assert paper["encoder_identity"].config == replace(paper["ring"].config, encoder="identity")
    assert [pair.name for pair in pairs(study("digits"), ["brick"])] == [f"digits-brick-s{seed}" for seed in range(3)]
    widths = [pair.config.width for pair in pairs(study("width"), ["brick"], [0])]
    assert widths == list(range(2, 17, 2))
    assert study("states") == STUDIES["states"]  # about the published run's states


def test_widths_run_from_2_to_16():
    values = [cell.config.width for cell in STUDIES["width"].cells if cell.series == "ring"]
    assert values == list(range(2, 17, 2))


def test_the_two_class_run_has_the_papers_39_batches_an_epoch(cifar_dir):
    config = STUDIES["states"].cells[0].config
    data = load(type(config).from_dict(config.to_dict() | {"data_dir": cifar_dir}))
    assert len(data.train) == 10_000 and schedule(config, len(data.train)).steps_per_epoch == 39
    assert not config.project


def test_batches_of_the_table():
    assert wanted_batches(STUDIES["paper"], "table") == (176, 194)
    assert wanted_batches(STUDIES["width"], "table") == (194,)


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
        pairs(STUDIES["paper"], arms, seeds)
