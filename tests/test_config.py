import dataclasses
import json

import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.presets import PRESETS, preset
from qssl_tf.registry import WORDS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(PRESETS[name].to_dict()))
    assert Config.from_json(path) == PRESETS[name]


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().seed = 1


def test_paper_preset_is_the_papers_protocol():
    paper = preset("paper")
    assert (paper.dataset, paper.classes, paper.batch_size, paper.epochs) == ("cifar10", (0, 1, 2, 3, 4), 256, 2)
    assert (paper.width, paper.layers, paper.temperature, paper.learning_rate) == (8, 2, 0.07, 1e-3)
    assert preset("paper-all-to-all").differences(paper) == [
        "ansatz: 'all_to_all' against 'ring'",
        "layers: 3 against 2",
    ]
    assert preset("paper-classical").differences(paper) == ["head: 'classical' against 'quantum'"]


def test_best_keeps_the_papers_terms_and_its_rivals_its_number_of_features():
    from qssl_tf.models.heads import build_head, head_inputs

    paper, features = preset("paper"), {}
    for name in ("best", "best-classical", "best-identity"):
        chosen = preset(name)
        for term in ("dataset", "classes", "epochs", "seed", "validation_fraction", "probe_epochs", "steps"):
            assert getattr(chosen, term) == getattr(paper, term)
        features[name] = build_head(chosen).compute_output_shape((None, head_inputs(chosen)))[-1]
    assert preset("best").width <= 8 and preset("best").head == "quantum"
    assert features == {"best": 36, "best-classical": 36, "best-identity": 36}
    assert [line.split(":")[0] for line in preset("best-identity").differences(preset("best"))] == ["head", "width"]


def test_shot_presets_estimate_gradients_from_shots_too():
    for name, partial in (("paper-100-shots", False), ("paper-100-shots-partial", True)):
        chosen = preset(name)
        assert (chosen.shots, chosen.gradient, chosen.partial_measurement) == (100, "parameter_shift", partial)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"width": 0}, "`width` must be at least 1 and at most 4096; got 0."),
        ({"width": 25}, "`width` must be at least 1 and at most 24 for qubits; got 25."),
        ({"width": 2.5}, "`width` must be an integer; got 2.5."),
        ({"width": True}, "`width` must be an integer; got True."),
        ({"temperature": 0}, "`temperature` must be above 0.0; got 0.0."),
        ({"temperature": float("nan")}, "`temperature` must be above 0.0; got nan."),
        ({"target_rate": 1.0}, "`target_rate` must be at least 0.0 and below 1.0; got 1.0."),
        ({"target_rate": -0.1}, "`target_rate` must be at least 0.0 and below 1.0; got -0.1."),
        ({"queue_size": 1}, "`queue_size` must be at least 2 and at most 4194304; got 1."),
        ({"redundancy_weight": -1}, "`redundancy_weight` must be at least 0.0; got -1.0."),
        ({"learning_rate": float("inf")}, "`learning_rate` must be finite and above 0.0; got inf."),
        ({"batch_size": 1}, "`batch_size` must be at least 2; got 1."),
        ({"shots": 0}, "`shots` must be at least 1 and at most 10000000; got 0."),
        ({"shots": "many"}, "`shots` must be an integer or none; got 'many'."),
        ({"seed": -1}, "`seed` must be at least 0 and at most 2147483647; got -1."),
        ({"classes": [1, 1]}, "`classes` must be different labels of at least 0; got [1, 1]."),
        (
            {"angle_bound": "none"},
            "`angle_bound` must be sigmoid for the quantum head, as its angles lie in [0, pi]; got 'none'.",
        ),
        ({"projector": [8, 0]}, "`projector` must be up to 16 widths from 1 to 65536, or none; got [8, 0]."),
        ({"crop_area": 0}, "`crop_area` must be above 0.0 and at most 1.0; got 0.0."),
        ({"classes": [1]}, "`classes` must name at least two labels, or none for all; got [1]."),
        ({"classes": "0,x"}, "`classes` must be a list of integers; got '0,x'."),
        ({"validation_fraction": 1.0}, "`validation_fraction` must be at least 0.0 and at most 0.9; got 1.0."),
        ({"observables": 3}, "`observables` must be a string; got 3."),
        ({"partial_measurement": "yes"}, "`partial_measurement` must be true or false; got 'yes'."),
        ({"noise_level": "gates"}, "`noise_level` must be one of gate, layer; got 'gates'. Did you mean 'gate'?"),
        (
            {"head": "none"},
            "`head` must be one of quantum, classical, trigonometric, fourier, cosines, mlp, identity; got 'none'.",
        ),
        (
            {"head_features": 36},
            "`head_features` must be none for the head quantum, whose features are counted by other settings; got 36; "
            "heads with such a number are trigonometric, fourier, cosines, mlp.",
        ),
        (
            {"head": "trigonometric", "width": 4, "head_features": 33},
            "`head_features` must be at most 32 for the head trigonometric at `width` 4, which has no more products of "
            "two; got 33.",
        ),
        ({"head_bandwidth": 0}, "`head_bandwidth` must be at least 0.001 and at most 1000.0; got 0.0."),
        ({"head_hidden": 0}, "`head_hidden` must be at least 1 and at most 4096; got 0."),
    ],
)
def test_bad_values_are_refused_in_one_sentence(values, sentence):
    with pytest.raises(UserError) as caught:
        Config.from_dict(values)
    assert str(caught.value) == sentence


def test_unknown_key_names_the_nearest():
    with pytest.raises(UserError, match=r"got 'temprature'\. Did you mean 'temperature'\?$"):
        Config.from_dict({"temprature": 0.1})


def test_unknown_preset_lists_the_valid_ones():
    with pytest.raises(
        UserError, match=r"^`preset` must be one of digits, digits-short, .*; got 'papre'\. Did you mean 'paper'\?$"
    ):
        preset("papre")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "must hold one JSON object; got a list."),
        ('{"width": "8"}', "`width` must be an integer; got '8'."),
    ],
)
def test_damaged_config_files(tmp_path, text, sentence):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        Config.from_json(path)
    assert str(path) in str(caught.value) and sentence in str(caught.value)


def test_missing_config_file(tmp_path):
    with pytest.raises(UserError, match="does not exist; name a file written by a run or a search.$"):
        Config.from_json(tmp_path / "none.json")


def test_choices_are_the_tables():
    from qssl_tf.data.augment import AUGMENTATIONS
    from qssl_tf.data.placement import PLACES
    from qssl_tf.data.sources import SOURCES
    from qssl_tf.evaluation.probe import PROTOCOLS
    from qssl_tf.models.batch_norm import BATCH_STATISTICS
    from qssl_tf.models.encoders import ANGLE_BOUNDS, ENCODERS
    from qssl_tf.models.heads import HEADS
    from qssl_tf.models.learning_rates import SCHEDULES
    from qssl_tf.models.precision import PRECISIONS
    from qssl_tf.objectives.table import OBJECTIVES
    from qssl_tf.quantum.ansatze import ANSATZE
    from qssl_tf.quantum.encodings import ENCODINGS
    from qssl_tf.quantum.measurement import GRADIENTS
    from qssl_tf.quantum.noise import LEVELS
    from qssl_tf.quantum.overlap_tests import OVERLAP_TESTS
    from qssl_tf.quantum.simulators import SIMULATORS

    tables = {
        "dataset": SOURCES,
        "store": PLACES,
        "augmentation": {"auto", *AUGMENTATIONS},
        "encoder": ENCODERS,
        "head": HEADS,
        "angle_bound": ANGLE_BOUNDS,
        "ansatz": ANSATZE,
        "encoding": ENCODINGS,
        "gradient": GRADIENTS,
        "simulator": SIMULATORS,
        "schedule": SCHEDULES,
        "precision": PRECISIONS,
        "objective": OBJECTIVES,
        "overlap_test": OVERLAP_TESTS,
        "batch_statistics": BATCH_STATISTICS,
        "noise_level": LEVELS,
        "probe_protocol": PROTOCOLS,
    }
    assert {name: set(table) for name, table in tables.items()} == {name: set(words) for name, words in WORDS.items()}
