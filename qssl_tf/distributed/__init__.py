"""Training on several devices and machines: who takes part, what they agree on, and what ends with whom."""
