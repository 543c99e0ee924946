"""Live display of the runs of a command."""
