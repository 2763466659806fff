"""The parts of the configuration as values, and how they are read: with every fault at once."""
