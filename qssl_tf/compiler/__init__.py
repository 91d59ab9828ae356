"""Circuits in a device's gates: translation to Qiskit, compilation, calibrations and the noise they tell of."""
