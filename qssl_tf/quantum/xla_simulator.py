"""The quantum head on this package's state-vector simulator, compiled by XLA for CPU or GPU."""

from collections.abc import Callable

import tensorflow as tf

from qssl_tf.errors import UserError
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.simulation import simulation
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.quantum.statevector_gradients import (
    in_chunks,
    with_adjoint_gradient,
    with_shift_gradient,
    with_spsa_gradient,
)
from qssl_tf.quantum.tfq_availability import why_absent
from qssl_tf.xla import compiled

Expectations = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
_compiled: dict[tuple, Expectations] = {}
_states: dict[tuple, int] = {}
MAX_CHUNK_BYTES = 2**27  # of states per chunk of rows; larger chunks are no faster and cause page faults


def xla_expectations(spec: CircuitSpec, measurement: Measurement) -> Expectations:
    """Return (angles (n, input symbols), weights (weights,), seed (2,), first row) -> expectations (n, observables).

    Equal seeds give a row equal shots, whatever the rest of its batch. Batches beyond MAX_CHUNK_BYTES run in chunks.
    Equal circuits with equal settings share one function: compiling takes seconds, and XLA keeps the compiled code (48
    MB for the ring on 8 qubits) until the process ends.

    Raises:
        UserError: A channel that this simulator does not support.
    """
    if measurement.is_noisy:
        others = "pauli" if why_absent() else "pauli or tfq"
        raise UserError(
            f"`simulator` must be {others} (or auto) with `noise`: xla knows no channels but `partial_measurement`; "
            f"got 'xla' and {measurement.noise!r}."
        )
    key = (spec.key, measurement)
    if key not in _compiled:
        _compiled[key] = compiled(_expectations(spec, measurement))
    return _compiled[key]


def bytes_of_states(spec: CircuitSpec, measurement: Measurement) -> int:
    """Return the estimated memory of one row, in bytes, for a circuit already passed to `xla_expectations`."""
    return _states[(spec.key, measurement)]


def _expectations(spec: CircuitSpec, measurement: Measurement) -> Expectations:
    run = simulation(spec, measurement.executed_circuit(spec), measurement.shots)
    _states[(spec.key, measurement)] = run.bytes_per_row
    modes: dict[str, Callable[[], Expectations]] = {
        "adjoint": lambda: with_adjoint_gradient(run),
        "parameter_shift": lambda: with_shift_gradient(run),
        "two_term": lambda: with_shift_gradient(run, exact=False),
        "spsa": lambda: with_spsa_gradient(
            run, simulation(spec, measurement.executed_circuit(spec), measurement.shots, all_by_row=True)
        ),
    }
    return in_chunks(modes[measurement.gradient](), max(1, MAX_CHUNK_BYTES // run.bytes_per_row))
