"""Images on disk: stores of ArrayRecord files, made once and read by row at random."""
