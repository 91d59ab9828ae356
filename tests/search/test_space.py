import itertools

import cirq
import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.registry import WORDS
from qssl_tf.search.space import SPACES, Choice, Range, chosen_settings, declare, reachable, subspace


@pytest.mark.parametrize("name", SPACES)
def test_every_value_of_every_space_is_one_that_config_takes(name):
    for head in WORDS["head"]:
        base = Config(head=head)
        try:
            found = reachable(SPACES[name], base)
        except UserError:
            assert head != "quantum"  # a space of circuits has nothing for the other heads
            continue
        space = declare(found, base)
        assert [entry.name for entry in space.space] == list(found)


def test_all_is_every_other_space():
    """But for those of objectives, whose losses cannot be compared with each other."""
    others = [parameters for name, parameters in SPACES.items() if name not in ("all", "objective", "overlaps")]
    assert SPACES["all"] == dict(itertools.chain.from_iterable(part.items() for part in others))


@pytest.mark.parametrize("ansatz", SPACES["overlaps"]["ansatz"].values)
def test_overlaps_have_a_gradient_wherever_the_space_leads(ansatz):
    """By finite differences: no trial is a circuit whose weights all cancel."""
    encoding = SPACES["overlaps"]["encoding"].values[0]
    rng, width, layers = np.random.default_rng(0), 4, SPACES["overlaps"]["layers"].ends[0]
    spec = circuit_spec(width, ansatz, layers=layers, encoding=encoding)
    values = dict(zip(spec.weights, rng.normal(size=len(spec.weights)), strict=True))
    inputs = [dict(zip(spec.inputs, rng.uniform(0, np.pi, width), strict=True)) for _ in range(2)]

    def states(weights):
        return [
            cirq.Simulator(dtype=np.complex128).simulate(spec.circuit, weights | x, qubit_order=spec.qubits)
            for x in inputs
        ]

    def overlap(weights, kept):
        first, second = (state.density_matrix_of([spec.qubits[qubit] for qubit in kept]) for state in states(weights))
        return np.trace(first @ second).real

    for kept in SPACES["overlaps"]["overlap_qubits"].values:
        compared = kept or range(width)
        moved = [
            overlap(values | {weight: values[weight] + 0.1}, compared) - overlap(values, compared)
            for weight in spec.weights
        ]
        assert np.abs(moved).max() > 1e-4, kept


def test_parents_come_before_what_depends_on_them():
    names = list(SPACES["all"])
    for name, parameter in SPACES["all"].items():
        for other in parameter.when:
            assert other not in names or names.index(other) < names.index(name)


def drawn(parameters, base=None, **values):
    space = declare(reachable(parameters, base or Config()), base or Config())
    space.values = values
    return chosen_settings(parameters, space)


def test_values_come_back_as_config_has_them():
    parameters = {"shots": Choice((None, 100))}
    assert drawn(parameters, shots="null") == {"shots": None}
    assert drawn(parameters, shots="100") == {"shots": 100}
    assert drawn({"temperature": Range(0.05, 1.0)}, temperature=0.123456) == {"temperature": 0.1235}
    assert drawn({"width": Range(2, 8)}, width=3) == {"width": 3}
    assert drawn({"ansatz": Choice(("ring", "sim13"))}, ansatz='"sim13"') == {"ansatz": "sim13"}


def test_conditions_leave_out_what_does_not_matter():
    shots = SPACES["shots"]
    assert drawn(shots, shots="null", gradient='"adjoint"') == {"shots": None}
    assert drawn(shots, shots="10", gradient='"adjoint"') == {"shots": 10, "gradient": "adjoint"}
    assert "gradient" not in reachable({"gradient": shots["gradient"], "layers": Choice((1, 2))}, Config())
    assert "gradient" in reachable({"gradient": shots["gradient"]}, Config(shots=100))


def test_rivals_vary_what_they_have():
    rivals = SPACES["rivals"]
    assert set(reachable(rivals, Config(head="mlp"))) == {"layers", "head_hidden"}
    assert set(reachable(rivals, Config(head="fourier"))) == {"head_bandwidth"}
    assert drawn(rivals, Config(head="mlp"), layers=3, head_hidden=64) == {"layers": 3, "head_hidden": 64}
    assert drawn(rivals, Config(head="mlp"), layers=1, head_hidden=64) == {"layers": 1}  # nothing is hidden


def test_defaults_are_the_bases_values_where_they_fit():
    base = Config(width=6, temperature=0.5, learning_rate=0.5)
    space = declare(SPACES["circuit"] | SPACES["recipe"], base)
    assert (space.get("width"), space.get("temperature")) == (6, 0.5)
    assert space.get("learning_rate") == pytest.approx(3e-4)  # 0.5 lies outside


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"witdh": Choice((1, 2))}, "got 'witdh'. Did you mean 'width'?"),
        (
            {"seed": Choice((1, 2))},
            "`seed` decides what trials are judged on and cannot be searched; set it for all of them.",
        ),
        ({"probe_epochs": Choice((1, 2))}, "`probe_epochs` decides what trials are judged on and cannot be searched"),
        ({"width": Choice((4, 99))}, "`width` must be at least 1 and at most 24 for qubits; got 99."),
        ({"temperature": Range(0.0, 1.0)}, "`temperature` must be above 0.0; got 0.0."),
        (
            {"gradient": SPACES["shots"]["gradient"]},
            "nothing to search: gradient cannot matter beside these settings.",
        ),
        ({}, "nothing to search is left."),
    ],
)
def test_bad_parameters_are_refused_in_one_sentence(parameters, sentence):
    with pytest.raises(UserError) as caught:
        reachable(parameters, Config())
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_space():
    with pytest.raises(UserError) as caught:
        subspace("circiut")
    assert str(caught.value) == (
        "`space` must be one of circuit, rivals, shots, encoder, recipe, objective, overlaps, all; got 'circiut'. "
        "Did you mean 'circuit'?"
    )
