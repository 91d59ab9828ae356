"""The working gates and qubits of a device: its target without what the calibration reports as dead.

A calibration gives a dead gate the error 1, or no error where the same gate has one elsewhere. A readout that is wrong
as often as right tells nothing. Nothing is compiled onto these, and no average is taken over them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from itertools import permutations
from typing import TYPE_CHECKING, Any

from qssl_tf.errors import UserError

if TYPE_CHECKING:  # Qiskit is loaded on first use: help must not wait for it
    from qiskit.transpiler import InstructionProperties, Target

USELESS = {"measure": 0.5}  # error from which on an instruction is of no use; of gates it is 1
Places = dict[tuple[int, ...], "InstructionProperties | None"]


def is_laid_out(backend: Any) -> bool:
    """Return whether a backend has qubits at places, coupled to some others; an ideal simulator has none."""
    return getattr(backend, "coupling_map", None) is not None


def is_calibrated(backend: Any) -> bool:
    """Return whether a backend's target has an error of any of its instructions."""
    tables = (backend.target[name] or {} for name in backend.target.operation_names)
    return any(entry is not None and entry.error is not None for table in tables for entry in table.values())


@functools.cache
def _known() -> frozenset[str]:
    """Return the names of the gates that heads are compiled to.

    Snapshots also name instructions of their own (`measure_2`, `reset_2`) and control flow, which heads do without.
    """
    from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping

    return frozenset(get_standard_gate_name_mapping())


def usable(backend: Any, fractional: bool = False) -> Target:
    """Return the target of a backend without dead gates, and without dead qubits, which lack a gate or the readout.

    A gate that is dead on all of its qubits stays, since there is no better one; the estimated success then shows it.

    Args:
        backend: A Qiskit backend whose qubits have places.
        fractional: Whether RX and RZZ, whose angle many devices bound, are among the gates where there are others.
    """
    target = backend.target
    tables: dict[str, Places] = {}
    for name in target.operation_names:
        if places := _places(backend, name):
            tables[name] = {p: entry for p, entry in places.items() if not _is_dead(name, entry, places)} or places
    if not fractional:
        if any(len(place) == 2 for name, table in tables.items() if name != "rzz" for place in table):
            tables.pop("rzz", None)
        if {"sx", "rz"} <= tables.keys():
            tables.pop("rx", None)
    alone = [table for table in tables.values() if all(len(place) == 1 for place in table)]
    working = {q for q in range(target.num_qubits) if all((q,) in table for table in alone)}
    return _renumbered(target, tables, {qubit: qubit for qubit in working})


def _places(backend: Any, name: str) -> Places:
    """Return where a gate that heads are compiled to may act; simulators with couplers say `anywhere` of all gates."""
    table = backend.target[name] if name in _known() else None
    if not table or None not in table:
        return dict(table or {})
    everywhere = {
        1: [(qubit,) for qubit in range(backend.target.num_qubits)],
        2: [tuple(pair) for pair in backend.coupling_map.get_edges()],
    }
    return dict.fromkeys(everywhere.get(backend.target.operation_from_name(name).num_qubits, ()), table[None])


def _is_dead(name: str, entry: InstructionProperties | None, places: Places) -> bool:
    if entry is None or entry.error is None:
        return any(other is not None and other.error is not None for other in places.values())
    return entry.error >= USELESS.get(name, 1.0)


def part(target: Target, region: list[int]) -> Target:
    """Return the target of some qubits alone, numbered in the order of the region."""
    tables = {name: dict(target[name]) for name in target.operation_names}
    return _renumbered(target, tables, {qubit: number for number, qubit in enumerate(region)}, len(region))


def _renumbered(target: Target, tables: dict[str, Places], numbers: dict[int, int], count: int | None = None) -> Target:
    """Return a target of the qubits of `numbers`, renumbered."""
    from qiskit.transpiler import Target

    smaller = Target(num_qubits=target.num_qubits if count is None else count, dt=target.dt)
    for name, places in tables.items():
        table = {
            tuple(numbers[qubit] for qubit in place): entry
            for place, entry in places.items()
            if all(qubit in numbers for qubit in place)
        }
        if table:  # the compiler takes a gate without places for one that it may use
            smaller.add_instruction(target.operation_from_name(name), table, name=name)
    return smaller


def couplers(target: Target) -> dict[frozenset[int], InstructionProperties | None]:
    """Return the coupled pairs of qubits of a usable target, with the calibration of the best gate on each."""
    best: dict[frozenset[int], InstructionProperties | None] = {}
    for places in (target[name] for name in target.operation_names):
        for place, gate in places.items():
            pair = frozenset(place)
            if len(place) == 2 and (pair not in best or error_in(gate) < error_in(best[pair])):
                best[pair] = gate
    return best


def neighbours(target: Target) -> dict[int, dict[int, InstructionProperties | None]]:
    """Return the neighbours of each qubit of a usable target that has any, with the best gate on the pair."""
    table: dict[int, dict[int, InstructionProperties | None]] = {}
    for pair, gate in couplers(target).items():
        for here, there in permutations(pair):
            table.setdefault(here, {})[there] = gate
    return table


def error_in(entry: InstructionProperties | None) -> float:
    """Return the error of an instruction by its calibration, 0 where there is none."""
    return 0.0 if entry is None or entry.error is None else entry.error


def error_of(target: Target, name: str, place: tuple[int, ...]) -> float:
    """Return the calibrated error of an instruction at a place, 0 where there is none."""
    return error_in(target[name].get(place)) if name in target.operation_names else 0.0


def connected(pairs: Iterable[frozenset[int]], qubits: Iterable[int]) -> list[list[int]]:
    """Return the qubits in groups that the pairs connect, the largest first."""
    groups = [{qubit} for qubit in qubits]
    for pair in pairs:
        joined = [group for group in groups if group & pair]
        groups = [group for group in groups if not group & pair] + [set().union(*joined)]
    return sorted(map(sorted, groups), key=len, reverse=True)


def working_qubits(target: Target) -> list[int]:
    """Return the qubits of a usable target that can be read."""
    return sorted(qubit for (qubit,) in target["measure"])


def left_out(backend: Any) -> str:
    """Return a line on what a backend's calibration calls dead; empty where all works."""
    if not is_laid_out(backend):
        return ""
    target = usable(backend)
    working, working_pairs = set(working_qubits(target)), couplers(target)
    if working_pairs and min(map(error_in, working_pairs.values())) >= 1:
        return f"{backend.name}: by its calibration all couplers are dead, so none is left out"
    pairs = {frozenset(pair) for pair in backend.coupling_map.get_edges()}
    qubits, lost = backend.num_qubits - len(working), sum(pair <= working for pair in pairs - working_pairs.keys())
    counts = {"qubit": qubits, "coupler": lost}
    dead = ", ".join(f"{count} {part}{'s' * (count != 1)}" for part, count in counts.items() if count)
    return f"{backend.name}: left out as dead by its calibration: {dead}" if dead else ""


def check_width(backend: Any, width: int, rule: str = "`backend` must have") -> None:
    """Refuse a backend without that many qubits that work and are connected.

    Args:
        backend: A Qiskit backend.
        width: How many.
        rule: The beginning of the sentence that refuses it.

    Raises:
        UserError: It says how many there are.
    """
    if backend.num_qubits is not None and width > backend.num_qubits:
        raise UserError(f"{rule} at least {width} qubits for this run; {backend.name} has {backend.num_qubits}.")
    if not is_laid_out(backend):
        return
    target = usable(backend)
    largest = len(connected(couplers(target), working_qubits(target))[0])
    if width > largest:
        raise UserError(
            f"{rule} at least {width} connected qubits for this run; by its calibration "
            f"{backend.name} has {largest} that work."
        )
