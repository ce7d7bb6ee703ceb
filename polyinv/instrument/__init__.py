"""What an instrument adds to a polymer's molar mass distribution."""
