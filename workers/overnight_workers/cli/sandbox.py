"""`overnight sandbox`: the API's stand-in, on this machine."""

# It lives with the sandbox, which so starts without the rest of the command line.
from overnight_workers.sandbox.command import sandbox

__all__ = ["sandbox"]
