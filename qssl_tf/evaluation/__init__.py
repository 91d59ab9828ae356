"""Judging a representation: probes, neighbours and figures."""
