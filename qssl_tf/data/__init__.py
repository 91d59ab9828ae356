"""Images: sources, augmentation and the seeded input pipeline."""
