"""What can be wrong with an embedded server."""

from overnight_models.errors import PermanentError


class EmbeddedServerError(PermanentError):
    """An embedded server can't be set up or found; the message says what to install or change."""
