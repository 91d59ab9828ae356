"""Trained heads on IBM devices and snapshots of them."""
