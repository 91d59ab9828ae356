"""A trained head on a device of IBM Quantum, or on a snapshot of one: `python -m qssl_tf.ibmq_infer`, or `qssl device`.

arXiv:2103.14653, Section 5, classifies 900 unseen images on ibmq_paris.
"""

from qssl_tf.cli.main import run

if __name__ == "__main__":
    run("device")
