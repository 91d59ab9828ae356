"""The paper's experiments, run as many ordinary runs and judged together."""
