"""Effects of an instrument on a measured molar mass distribution."""
