"""Backends passed as objects of Qiskit or Aer instead of a name. All but IBM's are simulated here.

Such an object cannot be looked up again by name, so its device run is recorded as `own:NAME` and has to be started
again if it is stopped.
"""

import inspect
import re
from typing import TYPE_CHECKING, Any

from qssl_tf.errors import UserError, shown

if TYPE_CHECKING:  # loaded late: a device by name needs neither
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel

OWN = "own:"
ANEW = "start a new device run with qssl_tf.run_on_device(run, backend=...)"
MAX_NAME = 60  # characters; it becomes part of a folder's name


def is_own(name: str) -> bool:
    """Return whether a recorded name stands for an object that only its user has."""
    return name.startswith(OWN)


def own_name(name: str | None, backend: Any) -> str:
    """Return what a backend is recorded as: its name, or that of its class, in characters that a folder may have."""
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", str(name or type(backend).__name__)).strip("-.")
    return OWN + (plain[:MAX_NAME] or "backend")


def lost(name: str) -> UserError:
    """Build the error for the recorded name of a backend that was an object."""
    return UserError(f"`backend` {shown(name)} was an object, which its name does not bring back; {ANEW}.")


def begin_again(name: str) -> str:
    """Return how to go on with a device run on `name` that was stopped."""
    return f"{ANEW}: {name} was an object, which its name does not bring back"


def not_allowed(value: Any) -> UserError:
    """Build the error for a value that is not a backend."""
    if inspect.isclass(value):
        got = f"the class {value.__name__}; make an object of it: {value.__name__}()"
    else:
        got = shown(value) if value is None or isinstance(value, int | float | bytes) else f"a {type(value).__name__}"
    return UserError(
        "`backend` must be a device's name such as 'fake_paris', a backend of Qiskit (BackendV2) or a noise model of "
        f"Aer (NoiseModel); got {got}."
    )


def simulator_of(model: "NoiseModel") -> "AerSimulator":
    """Return a simulator with a noise model; its coupling map is the pairs of qubits that have errors of their own.

    Without a coupling map, circuits could use pairs that the model has no error for, and run there without noise. A
    model whose two-qubit errors hold for all pairs couples all qubits.
    """
    from qiskit_aer import AerSimulator

    pairs, everywhere = set(), False
    for error in model.to_dict()["errors"]:
        if error["type"] == "qerror":
            places = [tuple(place) for place in error.get("gate_qubits") or ()]
            pairs |= {place for place in places if len(place) == 2}
            everywhere |= not places and _acts_on_two(error["operations"])
    return AerSimulator(noise_model=model, coupling_map=None if everywhere or not pairs else sorted(map(list, pairs)))


def _acts_on_two(names: list[str]) -> bool:
    from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping

    gates = get_standard_gate_name_mapping()
    return any(name in gates and gates[name].num_qubits == 2 for name in names)


def readout_errors(model: "NoiseModel", qubits: list[int]) -> list[tuple[float, float]]:
    """Return how likely each qubit's 0 is read as 1, and its 1 as 0, by a noise model; 0 where it says nothing."""
    everywhere, by_qubit = (0.0, 0.0), dict[int, tuple[float, float]]()
    for error in model.to_dict()["errors"]:
        if error["type"] == "roerror" and len(error["probabilities"]) == 2:
            both = (error["probabilities"][0][1], error["probabilities"][1][0])
            places = error.get("gate_qubits")
            by_qubit |= {qubit: both for (qubit,) in places or ()}
            everywhere = everywhere if places else both
    return [by_qubit.get(qubit, everywhere) for qubit in qubits]
