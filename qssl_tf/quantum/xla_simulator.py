"""The quantum head by the state-vector simulator of this package, compiled by XLA, on CPU or GPU."""

from collections.abc import Callable

import tensorflow as tf

from qssl_tf.errors import UserError
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.simulation import simulation
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.quantum.statevector_gradients import differentiated, in_chunks, perturbed, shifted
from qssl_tf.xla import compiled

Expectations = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
_compiled: dict[tuple, Expectations] = {}
_states: dict[tuple, int] = {}
AT_ONCE = 2**27  # bytes of states that one chunk of rows may take; larger ones cost page faults and gain nothing


def xla_expectations(spec: CircuitSpec, measured: Measurement) -> Expectations:
    """Return (angles (n, input symbols), weights (weights,), seed (2,), first row) -> expectations (n, observables).

    Equal seeds draw equal shots for each row, whatever rows come with it. Rows beyond AT_ONCE bytes are run in chunks.
    Equal circuits with equal settings share one function: compiling takes seconds, and XLA keeps what it compiled (48
    MB for the ring on 8 qubits) until the process ends.

    Raises:
        UserError: A channel this simulator does not know.
    """
    if measured.channels:
        raise UserError(
            "`simulator` must be pauli or tfq (or auto) with `noise`: xla knows no channels but "
            f"`partial_measurement`; "
            f"got 'xla' and {measured.noise!r}."
        )
    key = (spec.key, measured)
    if key not in _compiled:
        _compiled[key] = compiled(_expectations(spec, measured))
    return _compiled[key]


def bytes_of_states(spec: CircuitSpec, measured: Measurement) -> int:
    """Return the bytes of the states that a row goes through, for a circuit of which `xla_expectations` was asked."""
    return _states[(spec.key, measured)]


def _expectations(spec: CircuitSpec, measured: Measurement) -> Expectations:
    run = simulation(spec, measured.executed(spec), measured.shots)
    _states[(spec.key, measured)] = run.bytes_per_row
    modes: dict[str, Callable[[], Expectations]] = {
        "adjoint": lambda: differentiated(run),
        "parameter_shift": lambda: shifted(run),
        "two_term": lambda: shifted(run, exact=False),
        "spsa": lambda: perturbed(run, simulation(spec, measured.executed(spec), measured.shots, all_by_row=True)),
    }
    return in_chunks(modes[measured.gradient](), max(1, AT_ONCE // run.bytes_per_row))
