"""Inverse engineering of polymerizations: which recipe made this molar mass distribution?"""

__version__ = "0.1.0"
