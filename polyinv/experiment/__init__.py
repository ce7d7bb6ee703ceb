"""One experiment: a configuration in, a run folder out; and a saved model evaluated."""
