"""The quantum head: circuits, simulators and gradients."""
