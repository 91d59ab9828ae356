"""Compiles a head for a device once, its inputs still symbolic, and ranks layouts by their estimated success."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from qiskit import QuantumCircuit, QuantumRegister
from qiskit.transpiler import PassManager, Target, generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError
from qiskit.transpiler.passes import CollectLinearFunctions, HighLevelSynthesis

from qssl_tf.compiler.compiled import Compiled, estimated_success, log_success
from qssl_tf.compiler.fractional import Fold, has_fractional_gates, within_bounds
from qssl_tf.compiler.regions import Shape, cycles, regions, shapes
from qssl_tf.compiler.working_parts import check_width, connected, couplers, is_laid_out, part, usable, working_qubits
from qssl_tf.errors import UserError

SEEDS = 4  # for each shape; level 3 differs a lot from seed to seed
MORE_SEEDS = 16  # for each of the PROMISING shapes, which take some hundredths of a second each
PROMISING = 3
COPIES = 3  # of each compiled circuit, on the qubits where it is likeliest to succeed


class Trial(NamedTuple):
    """One way to compile: a form of the circuit, the gates that it may use, where it lies, and the transpiler's seed.

    Attributes:
        form: With measurements.
        target: Of usable gates.
        shape: Where the circuit may lie; None where the device's qubits have no places.
        seed: The transpiler's.
    """

    form: QuantumCircuit
    target: Target
    shape: Shape | None
    seed: int

    def compiled(self) -> list[Compiled]:
        """Return the circuit in the target's gates, on COPIES different sets of qubits at most."""
        if self.shape is None:
            return [_anywhere(self.form, self.target, self.seed)]
        return _on_copies(self.form, self.target, self.shape, self.seed)


def compile_head(
    circuit: QuantumCircuit,
    backend: Any,
    seed: int = 0,
    gates: str = "standard",
    seconds: float = math.inf,
    report: Callable[[str], None] = print,
) -> list[Compiled]:
    """Return the circuit in the backend's gates, by several forms, gates, regions and seeds, the most promising first.

    The circuit is compiled as it is, and with its CX resynthesized as linear functions: 28 CX between 8 qubits are then
    a chain of 7, which the preset levels do not find, while few CX between rotations can become more. Beside the whole
    device, small regions are tried: routed freely, a ring of 8 wanders over 12 qubits of a heavy-hexagon lattice, with
    more errors and a 256 times larger density matrix. It is compiled once for each shape of a region, and laid
    wherever on the device that shape has the least error; the best shapes get more seeds. Dead qubits and gates are
    not used.

    Args:
        circuit: Without a measurement at its end; free parameters stay.
        backend: A Qiskit backend.
        seed: The first of the transpiler's seeds.
        gates: `standard` leaves out fractional gates; where the backend has them, `best` tries both and `fractional`
            only circuits that may use them.
        seconds: After which nothing more is tried.
        report: Called with a line where time ran out.

    Raises:
        UserError: The backend has too few qubits, or its gates cannot make the circuit.
    """
    check_width(backend, circuit.num_qubits)
    end = time.monotonic() + seconds
    trials = list(_trials(circuit, backend, gates, seed))
    found: list[tuple[Trial, list[Compiled]]] = []
    failed = _try_all(trials, found, end)
    best = _best(found)
    more = [trial._replace(seed=trial.seed + SEEDS + extra) for extra in range(MORE_SEEDS) for trial in best]
    failed += _try_all(more, found, end)
    candidates = [compiled for _, of_trial in found for compiled in of_trial]
    if not candidates:
        raise UserError(f"{backend.name} cannot run this circuit: {failed[0].message}")
    tried, ways = len(found) + len(failed), len(trials) + len(more)
    if tried < ways:
        report(f"tried {tried} of {ways} ways to compile in {seconds:g} s; taking the best")
    return sorted(candidates, key=lambda compiled: (-compiled.success, compiled.two_qubit_gates))


def _try_all(trials: list[Trial], found: list[tuple[Trial, list[Compiled]]], end: float) -> list[TranspilerError]:
    """Append what each trial gives until time runs out, but at least one; return the errors of those that fail.

    Where gates have one direction, some regions cannot make a circuit that others can.
    """
    failed: list[TranspilerError] = []
    for trial in trials:
        if found and time.monotonic() > end:
            break
        try:
            found.append((trial, trial.compiled()))
        except TranspilerError as error:
            failed.append(error)
    return failed


def _best(found: list[tuple[Trial, list[Compiled]]]) -> list[Trial]:
    """Return the PROMISING ways that gave the highest success, each with its first seed."""
    ways: dict[tuple[int, int, int], tuple[float, Trial]] = {}
    for trial, compiled in found:
        way, success = (id(trial.form), id(trial.target), id(trial.shape)), max(one.success for one in compiled)
        if way not in ways:
            ways[way] = success, trial
        elif success > ways[way][0]:
            ways[way] = success, ways[way][1]
    return [trial for _, trial in sorted(ways.values(), key=lambda entry: -entry[0])[:PROMISING]]


def _trials(circuit: QuantumCircuit, backend: Any, gates: str, seed: int) -> Iterator[Trial]:
    """Yield the ways to compile a circuit, those of the first seed first."""
    forms = _forms(circuit)
    places: list[tuple[Target, Shape | None]] = [(backend.target, None)]
    if is_laid_out(backend):
        offered = has_fractional_gates(backend.target)
        kinds = {"standard": [False], "best": [True, False], "fractional": [True]}[gates] if offered else [False]
        targets = [usable(backend, fractional) for fractional in kinds]
        places = [(target, shape) for target in targets for shape in _places(target, circuit.num_qubits)]
    for number in range(seed, seed + SEEDS):
        for form in forms:
            for target, shape in places:
                yield Trial(form, target, shape, number)


def _forms(circuit: QuantumCircuit) -> list[QuantumCircuit]:
    """Return the circuit, measured, and the one with its CX resynthesized, unless that is the same."""
    anew = PassManager([CollectLinearFunctions(), HighLevelSynthesis()]).run(circuit)
    forms = [circuit.copy()] if anew == circuit else [circuit.copy(), anew]
    for form in forms:
        form.measure_all()
    return forms


def _places(target: Target, width: int) -> list[Shape]:
    """Return where on a device a circuit is tried: its connected parts as wholes, then small regions by their shape."""
    wholes = [group for group in connected(couplers(target), working_qubits(target)) if len(group) >= width]
    small = [region for region in regions(target, width) if region not in wholes]
    rings = [cycle for cycle in cycles(target, width) if cycle not in wholes and cycle not in small]
    return [*(Shape(whole, [whole]) for whole in wholes), *shapes(target, small), *shapes(target, rings)]


def _anywhere(circuit: QuantumCircuit, target: Target, seed: int) -> Compiled:
    """Return a circuit in the gates of a target whose qubits have no places."""
    in_gates = generate_preset_pass_manager(optimization_level=3, target=target, seed_transpiler=seed).run(circuit)
    return Compiled(in_gates, estimated_success(in_gates, target), seed, list(range(circuit.num_qubits)))


def _on_copies(circuit: QuantumCircuit, target: Target, shape: Shape, seed: int) -> list[Compiled]:
    """Return a circuit in the target's gates where a shape lies best, on COPIES different sets of qubits at most.

    Args:
        circuit: With measurements.
        target: Of usable gates.
        shape: Where the circuit may lie.
        seed: The transpiler's.
    """
    place = part(target, shape.model)
    in_gates = generate_preset_pass_manager(optimization_level=3, target=place, seed_transpiler=seed).run(circuit)
    layout = in_gates.layout.initial_index_layout(filter_ancillas=True)
    folds: tuple[Fold, ...] = ()
    if has_fractional_gates(place):
        in_gates, folds = within_bounds(in_gates, place)
    counts = Counter(
        (item.operation.name, tuple(in_gates.find_bit(qubit).index for qubit in item.qubits)) for item in in_gates.data
    )
    best: dict[frozenset[int], tuple[float, list[int]]] = {}
    for on in shape.copies:
        success = sum(
            count * log_success(target, name, tuple(on[number] for number in wires))
            for (name, wires), count in counts.items()
        )
        if frozenset(on) not in best or success > best[frozenset(on)][0]:
            best[frozenset(on)] = success, on
    found = sorted(best.values(), key=lambda entry: -entry[0])[:COPIES]
    return [
        Compiled(circuit := _placed(in_gates, target, on), estimated_success(circuit, target), seed,
                 [on[number] for number in layout], folds)
        for _, on in found
    ]  # fmt: skip


def _placed(in_gates: QuantumCircuit, target: Target, on: list[int]) -> QuantumCircuit:
    """Return a circuit compiled for some qubits on those of the whole device."""
    register = QuantumRegister(target.num_qubits, "q")
    placed = QuantumCircuit(register, *in_gates.cregs, global_phase=in_gates.global_phase)
    placed.compose(in_gates, qubits=on, clbits=range(in_gates.num_clbits), inplace=True)
    return placed
