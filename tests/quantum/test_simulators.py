"""The choice of the simulator, and what is refused before any allocation."""

import re

import numpy as np
import pytest

from qssl_tf.errors import UserError
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum import xla_simulator
from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.simulators import choose_simulator

NOISY = Measurement(shots=10, gradient="parameter_shift", noise="depolarizing=0.01")


def test_auto_leaves_channels_to_pauli():
    assert choose_simulator("auto", Measurement(), 4, "angle") == "xla"
    assert choose_simulator("auto", NOISY, 4, "angle") == "pauli"
    assert choose_simulator("auto", NOISY, 4, "reuploading") == "tfq"
    assert choose_simulator("tfq", Measurement(), 4, "angle") == "tfq"
    assert choose_simulator("auto", Measurement(partial_measurement=True), 4, "angle") == "xla"


def test_names_are_checked():
    with pytest.raises(
        UserError, match=r"`simulator` must be one of auto, tfq, xla, pauli; got 'xlb'. Did you mean 'xla'?"
    ):
        QuantumHead(2, simulator="xlb")


@pytest.mark.parametrize(("absence", "others"), [(None, "pauli or tfq"), ("no", "pauli")])
def test_xla_says_who_can_do_noise(absence, others, monkeypatch):
    monkeypatch.setattr(xla_simulator, "why_absent", lambda: absence)
    sentence = (
        f"`simulator` must be {others} (or auto) with `noise`: xla knows no channels but `partial_measurement`; "
        "got 'xla' and 'depolarizing=0.01'."
    )
    with pytest.raises(UserError, match=re.escape(sentence)):
        QuantumHead(2, shots=10, gradient="parameter_shift", noise="depolarizing=0.01", simulator="xla")


@pytest.mark.parametrize("simulator", ["tfq", "xla"])
def test_states_beyond_memory_are_refused_with_their_size(simulator):
    with pytest.raises(
        UserError,
        match=r"`width` 36 needs about 2199 GB of memory .* machine has [\d.]+ GB left; take fewer",
    ):
        QuantumHead(36, simulator=simulator)


@pytest.mark.parametrize(("ansatz", "width"), [*((ansatz, 7) for ansatz in ANSATZE), ("ring", 10), ("all_to_all", 10)])
def test_the_simulators_agree(ansatz, width):
    angles = np.random.default_rng(0).uniform(0, np.pi, (3, width)).astype(np.float32)
    ours, theirs = (QuantumHead(width, ansatz, 2, simulator=name, seed=1)(angles) for name in ("xla", "tfq"))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_weights_move_between_simulators(tmp_path):
    first, second = QuantumHead(3, simulator="tfq", seed=1), QuantumHead(3, simulator="xla", seed=2)
    second.set_weights(first.get_weights())
    angles = np.full((2, 3), 0.7, np.float32)
    np.testing.assert_allclose(first(angles), second(angles), atol=1e-5)


def test_the_head_draws_new_shots_at_each_call_and_the_same_in_the_next_process():
    angles = np.full((50, 2), 1.2, np.float32)
    first, second = (QuantumHead(2, "ring", 1, shots=10, simulator="xla", seed=4) for _ in range(2))
    calls = [[head(angles).numpy() for _ in range(2)] for head in (first, second)]
    np.testing.assert_array_equal(calls[0], calls[1])
    assert np.any(calls[0][0] != calls[0][1])
