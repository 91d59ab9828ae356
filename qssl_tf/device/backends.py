"""BACKENDS: a device by name, and the one adapter through which circuits reach a Sampler.

`aer` is an ideal simulator, `fake_*` a calibration snapshot of a real device simulated with its noise, anything else a
device of IBM Quantum (`least_busy` chooses one). Nothing falls back silently to another.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.device.calibration import snapshot, snapshot_names
from qssl_tf.errors import UserError, shown, unknown_name

# Before Aer loads OpenMP: its threads would spin between experiments and slow each other down several times.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# What a real device can do against errors while it runs: word -> (group of the Sampler's options, switch).
SUPPRESSIONS = {
    "decoupling": ("dynamical_decoupling", "enable"),  # pulses on idle qubits
    "twirling": ("twirling", "enable_measure"),  # random flips before the readout, undone after it
}


@dataclass(frozen=True)
class Device:
    """Where circuits run.

    Attributes:
        name: By which it is found again.
        backend: Qiskit's backend, for which circuits are compiled.
        is_local: Whether it is simulated here.
    """

    name: str
    backend: Any
    is_local: bool

    def sampler(self, seed: int, suppression: Sequence[str] = ()) -> Any:
        """Return a Sampler (primitives version 2).

        Args:
            seed: For simulators.
            suppression: Keys of SUPPRESSIONS, for real devices.
        """
        if not self.is_local:
            from qiskit_ibm_runtime.executor_sampler import Sampler

            sampler = Sampler(mode=self.backend)
            for group, switch in (SUPPRESSIONS[word] for word in suppression):
                setattr(getattr(sampler.options, group), switch, True)
            return sampler
        from qiskit_aer.primitives import SamplerV2

        # 0 lets Aer use all cores for the rows of a PUB; Aer ignores the seed 0.
        options: dict[str, Any] = {"max_parallel_experiments": 0}
        if self.name != "aer":
            options["noise_model"] = self.noise
        return SamplerV2(seed=seed + 1, options={"backend_options": options})

    @cached_property
    def noise(self) -> Any:
        """Aer's noise model of a snapshot, which takes seconds to make."""
        return noise_model(self.backend)


def device(name: str) -> Device:
    """Return the device called `name`.

    Raises:
        UserError: No such backend, no account, or no way to the service; or a backend itself in place of its name.
    """
    if not isinstance(name, str):
        known = str(getattr(name, "name", ""))
        own = f"'{known}'" if known.startswith(("fake_", "ibm_")) else "'aer', or 'fake_paris' with noise"
        raise UserError(
            f"`backend` must be a device's name, by which a stopped run finds it again: {own}; got {shown(name)}."
        )
    if name == "aer":
        from qiskit_aer import AerSimulator

        return Device(name, AerSimulator(), True)
    if name.startswith("fake_"):
        try:
            return Device(name, snapshot(name), True)
        except UserError:
            raise unknown_name("backend", name, ["aer", *snapshot_names()]) from None
    from qssl_tf.device.service import real_backend

    found = real_backend(name)
    return Device(found.name, found, False)  # not `least_busy`, which is another one when the run is resumed


def noise_model(backend: Any) -> Any:
    """Return Aer's noise model of a snapshot, with the readout errors of 0 and 1 apart where they are calibrated.

    Aer takes one number for both, although they differ several times on some qubits.
    """
    import logging

    from qiskit_aer.noise import NoiseModel, ReadoutError

    model = NoiseModel.from_backend(backend)
    properties = backend.properties() if callable(getattr(backend, "properties", None)) else None
    if properties is None:
        return model
    log = logging.getLogger("qiskit_aer.noise.noise_model")
    before, log.disabled = log.disabled, True  # it warns that the symmetric error is replaced, which is the purpose
    try:
        for qubit in range(backend.num_qubits):
            known = properties.qubit_property(qubit)
            if "prob_meas0_prep1" in known and "prob_meas1_prep0" in known:
                lost, gained = known["prob_meas0_prep1"][0], known["prob_meas1_prep0"][0]
                error = ReadoutError([[1 - gained, gained], [lost, 1 - lost]])
                model.add_readout_error(error, [qubit])
    finally:
        log.disabled = before
    return model


def check_suppression(words: Sequence[str], device: Device) -> None:
    """Refuse what a simulation does not do.

    Raises:
        UserError: An unknown word, or a simulated device.
    """
    for word in words:
        if word not in SUPPRESSIONS:
            raise unknown_name("suppression", word, SUPPRESSIONS)
    if words and device.is_local:
        raise UserError(
            f"{argument('suppression')} needs a real device, which does it while it runs; {device.name} is simulated."
        )
