"""All pictures of a run, and the page that gathers what the run folder holds."""
