"""Reading the configuration, with every fault at once."""
