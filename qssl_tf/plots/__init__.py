"""Pictures from arrays: one style, and a function for each kind of picture of a run."""
