"""Runs for others: folders with a model card and checksums, and the runs that come with the package."""
