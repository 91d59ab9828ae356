"""The paper's experiments: many ordinary runs, compared with each other and with the published ones."""
