import cirq
import numpy as np
import pytest

from qssl_tf.errors import UserError
from qssl_tf.quantum.observables import basis_change, observables, support_mask

QUBITS = cirq.GridQubit.rect(1, 4)
X, Y, Z = cirq.X, cirq.Y, cirq.Z


def test_named_sets():
    assert observables("z", QUBITS) == tuple(cirq.PauliString({q: Z}) for q in QUBITS)
    everything = observables("z_zz", cirq.GridQubit.rect(1, 8))
    assert len(everything) == 36 and everything[8] == cirq.PauliString({QUBITS[0]: Z, QUBITS[1]: Z})


def test_products_are_read():
    products = observables("Z0, X1Y3", QUBITS)
    assert products == (cirq.PauliString({QUBITS[0]: Z}), cirq.PauliString({QUBITS[1]: X, QUBITS[3]: Y}))
    np.testing.assert_array_equal(support_mask(products, QUBITS).T, [[1, 0, 0, 0], [0, 1, 0, 1]])


def test_after_the_change_of_basis_everything_is_z():
    products = observables("X0,Y1Z2,X0Y1", QUBITS[:3])
    change = basis_change(products).unitary(qubits_that_should_be_present=QUBITS[:3])
    for product in products:
        zs = cirq.PauliString({q: Z for q in product.qubits}).matrix(QUBITS[:3])
        np.testing.assert_allclose(change.conj().T @ zs @ change, product.matrix(QUBITS[:3]), atol=1e-9)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("zz", "`observables` must be one of z, z_zz, or products such as 'Z0,X1X2'; got 'zz'."),
        ("Z4", "`observables` must be on qubits 0 to 3 at `width` 4; got 'Z4'."),
        ("Z0Z0", "`observables` must name each qubit once in a product; got 'Z0Z0'."),
        (
            "Z0,X0",
            "`observables` must measure each qubit in one basis, since all share the same shots; qubit 0 has Z and X.",
        ),
    ],
)
def test_invalid_text(text, sentence):
    with pytest.raises(UserError) as error:
        observables(text, QUBITS)
    assert str(error.value) == sentence
