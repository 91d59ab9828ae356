"""Keras models: encoders, heads, the contrastive loss and SimCLR."""
