"""A search through every interleaving of a small model of "a batch is never paid twice"."""
