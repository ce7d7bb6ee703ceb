"""Commands of the command line, one per file: options, checks, one call, what is printed."""
