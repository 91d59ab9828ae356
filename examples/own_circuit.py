"""Your own circuit, registered in ten lines and then a word like `ring`, in Python and in every command.

python trainers/pretrain.py --plugin examples/own_circuit.py --ansatz brick
python trainers/linear_eval.py --plugin examples/own_circuit.py
python -m qssl_tf.ibmq_infer --plugin examples/own_circuit.py
python tuning/search.py --plugin examples/own_circuit.py --vary ansatz=ring,brick
"""

import cirq

import qssl_tf as q


@q.register_ansatz("brick")
def brick(qubits, weights, layer):
    """Rotate every qubit, then join neighbours like bricks: even pairs in even layers, odd pairs in odd ones."""
    for qubit in qubits:
        yield cirq.ry(next(weights))(qubit)
    for first in range(layer % 2, len(qubits) - 1, 2):
        yield cirq.CZ(qubits[first], qubits[first + 1])


if __name__ == "__main__":
    run = q.pretrain(config=q.Config(ansatz="brick", width=4, layers=3, steps=60, batch_size=128, probe_epochs=20))
    print(run.model.head.spec.circuit.to_text_diagram(qubit_order=run.model.head.spec.qubits))
    print(f"brick: {q.linear_probe(run).accuracy_last:.1f} %")
