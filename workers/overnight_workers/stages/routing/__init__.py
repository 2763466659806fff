"""Routing: by which road each item goes; decided when it is accepted, and looked at again in every sweep."""
