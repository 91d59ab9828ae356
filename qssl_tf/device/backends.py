"""A device by its name or as an object, and the one adapter through which circuits reach a Sampler.

`aer` is an ideal simulator, `fake_*` a calibration snapshot of a real device simulated with its noise, any other name a
device of IBM Quantum (`least_busy` chooses one). Nothing falls back silently to another. Objects are those of
`own_backend.py`.
"""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.compiler.fractional import WithFractionalGates, can_be_fractional, has_fractional_gates
from qssl_tf.compiler.noise_model import noise_model
from qssl_tf.compiler.regions import used_qubits
from qssl_tf.compiler.snapshots import readout_flips, snapshot, snapshot_names
from qssl_tf.compiler.working_parts import error_of, is_calibrated
from qssl_tf.device.own_backend import is_own, lost, not_allowed, own_name, readout_errors, simulator_of
from qssl_tf.device.suppression import SUPPRESSIONS
from qssl_tf.errors import UserError, reason, unknown_name

# Before Aer loads OpenMP: its threads would spin between experiments and slow each other down several times.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@dataclass(frozen=True)
class Device:
    """Where circuits run.

    Attributes:
        name: By which it is found again, or `own:NAME` of an object.
        backend: Qiskit's backend, for which circuits are compiled.
        is_local: Whether it is simulated here.
        gates: One of `options.GATES`.
        models: Aer's noise models that were made, by the qubits that they are of; None is all.
    """

    name: str
    backend: Any
    is_local: bool
    gates: str = "best"
    models: dict[frozenset[int] | None, Any] = field(default_factory=dict, repr=False, compare=False)

    def sampler(self, seed: int, suppression: Sequence[str] = (), qubits: Sequence[int] | None = None) -> Any:
        """Return a Sampler (primitives version 2).

        Args:
            seed: For simulators.
            suppression: Keys of SUPPRESSIONS, for real devices.
            qubits: Those that circuits use, whose noise alone is simulated; None is all.
        """
        if not self.is_local:
            from qiskit_ibm_runtime.executor_sampler import Sampler

            sampler = Sampler(mode=self.backend)
            for group, switch in (SUPPRESSIONS[word] for word in suppression):
                setattr(getattr(sampler.options, group), switch, True)
            return sampler
        from qiskit_aer import AerSimulator
        from qiskit_aer.primitives import SamplerV2

        # 0 lets Aer use all cores for the rows of a PUB; Aer ignores the seed 0.
        options: dict[str, Any] = {"max_parallel_experiments": 0}
        if isinstance(self.backend, AerSimulator):
            return SamplerV2.from_backend(self.backend, seed=seed + 1, options={"run_options": options})
        noise = self._noise_of(frozenset(qubits)) if qubits is not None else self.noise
        if noise is not None:
            options["noise_model"] = noise
        return SamplerV2(seed=seed + 1, options={"backend_options": options})

    def simulated(self, pubs: Sequence[Any], seed: int) -> Any:
        """Return the results of PUBs on a simulated device.

        Raises:
            UserError: The simulator cannot run them.
        """
        qubits = sorted({number for circuit, *_ in pubs for number in used_qubits(circuit)})
        try:
            return self.sampler(seed, qubits=qubits).run(pubs).result()
        except UserError:
            raise
        except Exception as error:  # of Aer, or of a user's own backend, which may raise anything
            message = reason(error).strip("'").removeprefix("Aer simulation failed: ")
            raise UserError(f"`backend` {self.name} cannot simulate this circuit ({message}).") from None

    @property
    def noise(self) -> Any:
        """Aer's noise model of all qubits, which takes seconds to make of a large snapshot; None without noise."""
        return self._noise_of(None)

    def _noise_of(self, qubits: frozenset[int] | None) -> Any:
        from qiskit_aer import AerSimulator

        if qubits not in self.models:
            own = isinstance(self.backend, AerSimulator)
            some = None if qubits is None else sorted(qubits)
            model = self.backend.options.noise_model if own else noise_model(self.backend, some)
            self.models[qubits] = None if model is None or model.is_ideal() else model
        return self.models[qubits]

    @property
    def is_noisy(self) -> bool:
        """Whether a simulated device has noise of its own."""
        from qiskit_aer import AerSimulator

        told = not isinstance(self.backend, AerSimulator) and is_calibrated(self.backend)
        return told or self.noise is not None

    @property
    def is_uncalibrated(self) -> bool:
        """Whether it has noise of which its calibration says nothing, so that no success can be estimated."""
        return self.is_local and not is_calibrated(self.backend) and self.noise is not None

    def readout_contrast(self, layout: Sequence[int]) -> list[float]:
        """Return 1 - 2 (mean readout error) of physical qubits, by the simulator's own noise or the calibration."""
        from qiskit_aer import AerSimulator

        if isinstance(self.backend, AerSimulator) and self.noise is not None:
            return [1 - gained - lost for gained, lost in readout_errors(self.noise, list(layout))]
        flips = readout_flips(self.backend)
        both = {qubit: error_of(self.backend.target, "measure", (qubit,)) for qubit in layout}
        return [1 - sum(flips.get(qubit, (both[qubit], both[qubit]))) for qubit in layout]

    def readout_shift(self, layout: Sequence[int]) -> list[float]:
        """Return how much likelier each physical qubit's 1 is misread than its 0; 0 where that is not known."""
        from qiskit_aer import AerSimulator

        if isinstance(self.backend, AerSimulator):
            noisy = self.noise is not None
            return (
                [lost - gained for gained, lost in readout_errors(self.noise, list(layout))]
                if noisy
                else [0.0] * len(layout)
            )
        from qssl_tf.device.service import answers

        with nullcontext() if self.is_local else answers():  # a real device's calibration is asked for
            flips = readout_flips(self.backend)
        return [lost - gained for gained, lost in (flips.get(qubit, (0.0, 0.0)) for qubit in layout)]

    def service(self) -> Any:
        """Return the service that holds a real device's jobs: the backend's own, or that of the saved account."""
        from qssl_tf.device.service import service

        return getattr(self.backend, "service", None) or service()


def device(backend: Any, gates: str = "best") -> Device:
    """Return the device of a name, or of an object.

    Args:
        backend: A name; a backend of Qiskit, simulated here unless it is IBM's; or a noise model of Aer.
        gates: One of `options.GATES`.

    Raises:
        UserError: No such backend, no account, no way to the service, or fractional gates where there are none.
    """
    found = _named(backend, gates) if isinstance(backend, str) else _of_object(backend)
    if gates == "fractional" and not has_fractional_gates(found.backend.target):
        if not found.is_local or is_own(found.name) or not can_be_fractional(found.backend):
            raise UserError(
                f"{argument('gates', 'fractional')} needs a device with RX and RZZ, or the snapshot of one with CZ, "
                f"whose generation has them; {found.name} has neither; take {argument('gates', 'standard')}."
            )
        found = replace(found, backend=WithFractionalGates(found.backend))
    return replace(found, gates=gates)


def _named(name: str, gates: str) -> Device:
    if is_own(name):
        raise lost(name)
    if name == "aer":
        from qiskit_aer import AerSimulator

        return Device(name, AerSimulator(), True)
    if name.startswith("fake_"):
        try:
            return Device(name, snapshot(name), True)
        except UserError:
            raise unknown_name("backend", name, ["aer", *snapshot_names()]) from None
    from qssl_tf.device.service import real_backend

    backend = real_backend(name, fractional=gates != "standard")
    return Device(backend.name, backend, False)  # not `least_busy`, which is another one when the run is resumed


def _of_object(backend: Any) -> Device:
    from qiskit.providers import BackendV2
    from qiskit_aer.noise import NoiseModel
    from qiskit_ibm_runtime import IBMBackend

    if isinstance(backend, NoiseModel):
        return Device(own_name("noise_model", backend), simulator_of(backend), True)
    if isinstance(backend, IBMBackend):
        from qssl_tf.device.service import answers, check_operational

        with answers():
            status = backend.status()
        check_operational(backend.name, status)
        return Device(backend.name, backend, False)
    if not isinstance(backend, BackendV2):
        raise not_allowed(backend)
    return Device(own_name(backend.name, backend), backend, True)


def check_suppression(words: Sequence[str], device: Device) -> None:
    """Refuse what a simulation does not do.

    Raises:
        UserError: An unknown word, or a simulated device.
    """
    for word in words:
        if word not in SUPPRESSIONS:
            raise unknown_name("suppression", word, [name for name in SUPPRESSIONS if name != "twirling"])
    if words and device.is_local:
        raise UserError(
            f"{argument('suppression')} needs a real device, which does it while it runs; {device.name} is simulated."
        )
