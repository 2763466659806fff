"""Poll: the API's list says what ended, and what became of unclear creates."""
