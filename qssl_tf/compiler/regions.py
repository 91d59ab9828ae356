"""Regions of a device: connected qubits on which a circuit may lie, and which of them have the same shape.

A circuit compiled for one region runs on every other region of its shape, on other qubits with other errors: it needs
compiling only once (as in Qiskit's post-layout and Nation and Treinish, arXiv:2209.15512).
"""

from dataclasses import dataclass
from itertools import islice

import rustworkx as rx
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction
from qiskit.transpiler import Target

from qssl_tf.compiler.working_parts import error_in, error_of, neighbours

MAX_SHAPES = 16  # those of the least error; where gates have one direction, nearly every region has its own shape
LONGEST = 1.5  # how many times the circuit's qubits a ring may have
MAX_MAPPINGS = 64  # of one region onto another; a star of 7 neighbours alone has 5,040


@dataclass(frozen=True)
class Shape:
    """Regions of one shape.

    Attributes:
        model: The region of the least error, for which a circuit is compiled.
        copies: Each way to lie on the device: the physical qubit of each of the model's, in its order; itself first.
    """

    model: list[int]
    copies: list[list[int]]


def regions(target: Target, width: int) -> list[list[int]]:
    """Return connected regions of `width` qubits, each grown from another qubit by the least calibrated error."""
    costs = {
        here: {there: error_in(gate) + error_of(target, "measure", (there,)) for there, gate in gates.items()}
        for here, gates in neighbours(target).items()
    }
    grown = []
    for start in sorted(costs):
        region = {start}
        while len(region) < width:
            rim = [(cost, qubit) for own in region for qubit, cost in costs[own].items() if qubit not in region]
            if not rim:
                break
            region.add(min(rim)[1])
        if len(region) == width and sorted(region) not in grown:
            grown.append(sorted(region))
    return grown


def cycles(target: Target, width: int) -> list[list[int]]:
    """Return the smallest ring of couplers through each coupler, where it has `width` to LONGEST times as many qubits.

    A ring-shaped head goes round a hexagon of a heavy-hexagon lattice with fewer swaps than along a line.
    """
    table = neighbours(target)
    qubits = sorted(table)
    node = {qubit: number for number, qubit in enumerate(qubits)}
    graph = rx.PyGraph()
    graph.add_nodes_from(qubits)
    couplers = [(node[here], node[there]) for here in qubits for there in table[here] if here < there]
    graph.add_edges_from_no_data(couplers)
    found: set[tuple[int, ...]] = set()
    for here, there in couplers:
        graph.remove_edge(here, there)
        way = rx.dijkstra_shortest_paths(graph, here, there)
        graph.add_edge(here, there, None)
        if there in way and width <= len(way[there]) <= LONGEST * width:
            found.add(tuple(sorted(qubits[number] for number in way[there])))
    return sorted(map(list, found))


def shapes(target: Target, found: list[list[int]]) -> list[Shape]:
    """Return regions by their shape: the gates on each qubit and on each pair, in which direction; MAX_SHAPES at most.

    Args:
        target: Of usable gates.
        found: Regions.
    """
    groups: list[tuple[rx.PyDiGraph, list[int], list[list[int]]]] = []
    for region in sorted(found, key=lambda region: _cost(target, region)):
        graph = _graph(target, region)
        for model_graph, model, copies in groups:
            mappings = list(islice(rx.vf2_mapping(model_graph, graph, *_EQUAL, subgraph=False), MAX_MAPPINGS))
            if mappings:
                copies += [[region[mapping[place]] for place in range(len(model))] for mapping in mappings]
                break
        else:
            if len(groups) == MAX_SHAPES:
                continue
            symmetries = islice(rx.vf2_mapping(graph, graph, *_EQUAL, subgraph=False), MAX_MAPPINGS)
            turned = [[region[mapping[place]] for place in range(len(region))] for mapping in symmetries]
            groups.append((graph, region, [region, *(copy for copy in turned if copy != region)]))
    return [Shape(model, copies) for _, model, copies in groups]


def _equal(here: frozenset, there: frozenset) -> bool:
    return here == there


_EQUAL = (_equal, _equal)  # of qubits, of pairs


def _graph(target: Target, region: list[int]) -> rx.PyDiGraph:
    """Return a region as a graph: the names of the gates on each qubit and each directed pair."""
    gates: dict[tuple[int, ...], set[str]] = {}
    for name in target.operation_names:
        for place in target[name]:
            if set(place) <= set(region):
                gates.setdefault(place, set()).add(name)
    graph = rx.PyDiGraph()
    graph.add_nodes_from([frozenset(gates.get((qubit,), ())) for qubit in region])
    pairs = [place for place in gates if len(place) == 2]
    graph.add_edges_from([(region.index(a), region.index(b), frozenset(gates[a, b])) for a, b in pairs])
    return graph


def _cost(target: Target, region: list[int]) -> float:
    """Return the sum of a region's calibrated errors of couplers and readouts."""
    table = neighbours(target)
    pairs = [error_in(gate) for here in region for there, gate in table[here].items() if there in region]
    return sum(pairs) / 2 + sum(error_of(target, "measure", (qubit,)) for qubit in region)


def used_qubits(circuit: QuantumCircuit) -> list[int]:
    """Return the numbers of the physical qubits on which anything happens."""
    return sorted({circuit.find_bit(qubit).index for item in acting(circuit) for qubit in item.qubits})


def acting(circuit: QuantumCircuit) -> list[CircuitInstruction]:
    """Return the instructions of a circuit without its barriers."""
    return [item for item in circuit.data if item.operation.name != "barrier"]
