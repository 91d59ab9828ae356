"""Run folders, exact resume and the callbacks of pretraining."""
