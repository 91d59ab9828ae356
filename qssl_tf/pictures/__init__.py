"""Pictures of a trained run: where its images lie, what its qubits say, and its circuit."""
