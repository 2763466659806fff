"""The API's refusals: the JSON envelope, the HTML pages of the proxy before it, and the types by status."""

from __future__ import annotations

from overnight_workers.sandbox.clock import SECOND, http_date

TYPE_BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
STATUS_BY_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "api_error": 500,
    "overloaded_error": 529,
}
MESSAGE_BY_TYPE = {
    "invalid_request_error": "The sandbox was told to find this request invalid.",
    "authentication_error": "invalid x-api-key",
    "billing_error": "Your credit balance is too low to access the Anthropic API.",
    "permission_error": "Your API key does not have permission to use the specified resource.",
    "not_found_error": "Not found",
    "conflict_error": "Conflict",
    "request_too_large": "Request exceeds the maximum size",
    "rate_limit_error": "This request would exceed your organization's rate limit.",
    "timeout_error": "Request timed out",
    "api_error": "Internal server error",
    "overloaded_error": "Overloaded",
}


class Refusal(Exception):
    """A call is answered with an error status."""

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        type_: str | None = None,
        error_code: str | None = None,
        location: str | None = None,
        retry_after: float | None = None,
        retry_after_as: str = "seconds",
        html: bool = False,
    ) -> None:
        self.status = status
        self.type = type_ or TYPE_BY_STATUS.get(status, "api_error")
        self.message = message or MESSAGE_BY_TYPE.get(self.type, "Error")
        self.error_code = error_code
        self.location = location
        self.retry_after = retry_after
        self.retry_after_as = retry_after_as
        self.html = html
        super().__init__(self.message)

    def headers(self, now_us: int) -> dict[str, str]:
        """Headers that go with this refusal only. now_us: by the sandbox's clock, as its Date header has it."""
        headers = {} if self.location is None else {"location": self.location}
        if self.retry_after is None:
            return headers
        if self.retry_after_as == "ms":
            return headers | {"retry-after-ms": f"{self.retry_after * 1000:g}"}
        if self.retry_after_as == "date":
            return headers | {"retry-after": http_date(now_us + round(self.retry_after * SECOND))}
        return headers | {"retry-after": f"{self.retry_after}"}

    def page(self) -> str:
        """What a proxy in front of the API says: not JSON at all."""
        return (
            f"<html>\r\n<head><title>{self.status} {self.message}</title></head>\r\n<body>\r\n<center>"
            f"<h1>{self.status} {self.message}</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body></html>"
        )


def envelope(type_: str, message: str, request_id: str | None, error_code: str | None = None) -> dict[str, object]:
    """The standard error body. In a result line it sits inside `result.error`: nested twice."""
    error: dict[str, object] = {"type": type_, "message": message}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    return {"type": "error", "error": error, "request_id": request_id}
