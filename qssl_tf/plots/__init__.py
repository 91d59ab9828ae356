"""Figures from arrays: one style, and a function for each kind of figure of a run."""
