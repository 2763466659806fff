"""Submit: a batch is created at the API, once."""
