"""A streamed answer, gathered into the message that it would have been in one piece, with its usage.

Reading is lenient: events, blocks and deltas of tomorrow are kept where they have a place, and passed over elsewhere.
"""

from __future__ import annotations

from overnight_models import exact_json

_CALLS = "partial_json"


class Gathered:
    """A stream of events, as far as it has come."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._message: dict[str, object] | None = None
        """Without its content."""
        self._blocks: list[dict[str, object]] = []
        self._pieces: dict[tuple[int, str], list[str]] = {}
        """Texts that come piece by piece: by the number of their block and the name of their field."""
        self.is_whole = False
        self.fault: str | None = None
        """What the API said in the middle of it: `overloaded_error: Overloaded`."""

    def take(self, chunk: bytes) -> None:
        """More of it. Raises ValueError when it is no stream of events."""
        self._rest += chunk
        if b"\n" not in chunk:
            return
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            if line.startswith(b"data:"):
                self._take_event(_read(line[5:]))

    def message(self) -> bytes:
        """The message as JSON; empty when it hasn't begun. Raises ValueError when a tool's input can't be read."""
        if self._message is None:
            return b""
        for (index, name), pieces in self._pieces.items():
            block, text = self._blocks[index], "".join(pieces)
            if name == _CALLS:
                block["input"] = exact_json.loads(text) if text else block.get("input", {})
            else:
                block[name] = f"{block.get(name) or ''}{text}"
        self._pieces.clear()
        return exact_json.dumps(self._message | {"content": self._blocks})

    def _take_event(self, event: dict[str, object]) -> None:
        kind = event.get("type")
        if kind == "error":
            error = event.get("error")
            said = error if isinstance(error, dict) else {}
            self.fault = f"{said.get('type', 'error')}: {said.get('message', '')}".rstrip(": ")
        elif kind == "message_start" and isinstance(message := event.get("message"), dict):
            self._message, self._blocks = {**message, "content": []}, list(message.get("content") or [])
        elif self._message is None:
            return
        elif kind == "content_block_start":
            self._begin(event)
        elif kind == "content_block_delta":
            self._add(event)
        elif kind == "message_delta":
            self._end(event)
        elif kind == "message_stop":
            self.is_whole = self.fault is None

    def _begin(self, event: dict[str, object]) -> None:
        index, block, blocks = event.get("index"), event.get("content_block"), self._blocks
        if not isinstance(block, dict) or index != len(blocks):
            raise ValueError(f"block {index!r} begins after {len(blocks)}")
        blocks.append(block)

    def _add(self, event: dict[str, object]) -> None:
        index, delta, blocks = event.get("index"), event.get("delta"), self._blocks
        if not isinstance(index, int) or not 0 <= index < len(blocks) or not isinstance(delta, dict):
            raise ValueError(f"a delta of block {index!r}, of {len(blocks)}")
        for name, value in delta.items():
            if name == "type":
                continue
            if name == "citation":
                before = blocks[index].get("citations")
                blocks[index]["citations"] = [*(before if isinstance(before, list) else []), value]
            elif isinstance(value, str):
                self._pieces.setdefault((index, name), []).append(value)
            else:
                blocks[index][name] = value

    def _end(self, event: dict[str, object]) -> None:
        assert self._message is not None
        delta, usage = event.get("delta"), event.get("usage")
        if isinstance(delta, dict):
            self._message.update(delta)
        if isinstance(usage, dict):
            before = self._message.get("usage")
            counted = {name: value for name, value in usage.items() if value is not None}
            self._message["usage"] = {**(before if isinstance(before, dict) else {}), **counted}


def _read(data: bytes) -> dict[str, object]:
    try:
        event = exact_json.loads(data)
    except ValueError:
        event = exact_json.mended(data)
    if not isinstance(event, dict):
        raise ValueError(f"an event that is no object: {data[:100]!r}")
    return event
