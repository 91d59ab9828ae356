"""Runs as folders for others, with a model card and checksums."""
