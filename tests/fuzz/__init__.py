"""Random programs: generate, run, shrink."""
