"""Parts of the command line: shared options, process settings, and the commands of the tools."""
