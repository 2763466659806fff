"""By size to a model: which model takes an item that names none."""
