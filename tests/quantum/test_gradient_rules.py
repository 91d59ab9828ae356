from dataclasses import replace

import pytest

from qssl_tf.config import Config
from qssl_tf.quantum.gradient_rules import gradient_circuits, training_circuits
from qssl_tf.studies.arms import arm_config


def test_circuits_of_a_shift_gradient_by_hand():
    """Ring, 8 qubits, 2 layers: 8 RX and 16 RY with 2 circuits each, 16 controlled RX with 4."""
    config = arm_config("ring_100_shots", 0)
    assert gradient_circuits(config) == 2 * (8 + 16) + 4 * 16
    assert gradient_circuits(replace(config, gradient="two_term")) == 2 * (8 + 16 + 16)
    assert gradient_circuits(replace(config, gradient="spsa")) == 2
    assert gradient_circuits(arm_config("ring", 0)) == 0


def test_the_head_runs_as_many_circuits(monkeypatch):
    """TensorFlow Quantum's sampler counts the circuits that it actually receives."""
    import numpy as np
    import tensorflow as tf

    from qssl_tf.models.quantum_head import QuantumHead
    from qssl_tf.quantum import tfq_gradients

    samples = []
    sample = tfq_gradients.tfq_simulate_ops.tfq_simulate_samples

    def counting_sample(programs, *arguments):
        samples.append(None)
        return sample(programs, *arguments)

    monkeypatch.setattr(tfq_gradients.tfq_simulate_ops, "tfq_simulate_samples", counting_sample)
    config = Config(width=3, layers=1, shots=20, gradient="parameter_shift", simulator="tfq")
    head = QuantumHead(3, "ring", 1, shots=20, gradient="parameter_shift", simulator="tfq")
    angles = tf.constant(np.random.default_rng(0).uniform(0, 3, (1, 3)), tf.float32)
    tf.config.run_functions_eagerly(True)
    try:
        with tf.GradientTape() as tape:
            tape.watch(angles)
            loss = tf.reduce_sum(head(angles))
        tape.gradient(loss, [angles, head.parameters])
    finally:
        tf.config.run_functions_eagerly(False)
    assert len(samples) == 1 + gradient_circuits(config)


@pytest.mark.parametrize(("arm", "count"), [("classical", 0), ("ring", 2 * 256 * 194)])
def test_circuits_of_a_training_run(arm, count):
    assert training_circuits(arm_config(arm, 0), 194) == count
