"""Objectives: the losses of self-supervised learning, and what each needs beside two views."""
