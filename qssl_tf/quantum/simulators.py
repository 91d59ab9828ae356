"""SIMULATORS: who runs the quantum head, and which of them `auto` takes."""

import os

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.measurement import Measurement

SIMULATORS = ("auto", "tfq", "xla")


def choose_simulator(simulator: str, measured: Measurement) -> str:
    """Return `tfq` or `xla`.

    `auto` takes xla, which was faster in every case of docs/benchmarks.md (only a single row of 2 qubits was not), and
    tfq for what nothing else can do: channels other than a measurement between layers.

    A measurement between layers is exact on xla, and one trajectory a shot on tfq.

    Raises:
        UserError: An unknown name, or what tfq cannot do by trajectories.
    """
    if simulator not in SIMULATORS:
        raise unknown_name("simulator", simulator, SIMULATORS)
    if simulator == "auto":
        simulator = "tfq" if measured.channels else "xla"
    if simulator == "tfq" and measured.partial_measurement:
        measured.check_trajectories("partial_measurement")
    return simulator


def refuse_beyond_memory(width: int, measured: Measurement) -> None:
    """Refuse circuits of which not even one row fits into this machine's memory.

    Raises:
        UserError: It gives the estimate.
    """
    copies = 2 ** ((width + 1) // 2) if measured.partial_measurement else 1
    # The state, its gradient and a copy of each while a step moves them: 8 bytes an amplitude.
    needed = 4 * 8 * 2**width * copies / 1e9
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    if needed > memory:
        raise UserError(
            f"`width` {width} needs about {needed:.0f} GB of memory for the states of a single row; this machine has "
            f"{memory:.0f} GB; take fewer qubits."
        )
