"""Arms compared seed by seed: what runs may stand beside each other, the statistics, tables and figure."""
