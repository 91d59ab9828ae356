"""Searches by keras-tuner: what varies, who runs the trials, and what came of them."""
