"""Independent constructions that tests compare with."""
