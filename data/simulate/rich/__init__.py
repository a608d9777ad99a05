"""The rich world: a partner ecosystem with the faults of real data, and its truth."""
