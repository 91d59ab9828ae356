"""How good a representation is: linear probes, nearest neighbours and their statistics."""
