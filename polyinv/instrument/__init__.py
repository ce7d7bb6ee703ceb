"""What a laboratory adds to a polymer: effects of the instrument on its curve, errors of all that is measured."""
