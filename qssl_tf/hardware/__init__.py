"""IBM devices: the only part that knows Qiskit; nothing here loads TensorFlow."""
