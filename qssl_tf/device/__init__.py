"""Trained heads on IBM devices and snapshots of them: the only part that knows Qiskit."""
