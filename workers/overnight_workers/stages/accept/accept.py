"""Accept: producers' messages become rows, once per key; a bad item is turned down alone, visibly."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

from celery.exceptions import Reject

from overnight_models import exact_json, routes
from overnight_models.errors import TransientError
from overnight_models.ledger import accept as ledger
from overnight_models.ledger import prefixes
from overnight_models.ledger.accept import Verdict
from overnight_models.ledger.answer import content_hash, key_hash
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.database import DatabaseFull
from overnight_models.ledger.known import CONFLICT, Admission
from overnight_models.ledger.new_item import NewItem
from overnight_models.request.countable import divide, is_plain, may_hold_uncountable
from overnight_models.request.prefix import MARK_BYTES, Prefix
from overnight_models.request.prompt import shape_of
from overnight_models.request.worst_case import may_have_more
from overnight_models.wire import message
from overnight_models.wire.item_check import item_faults, lane_faults
from overnight_models.wire.message import ItemLine
from overnight_models.wire.traceparent import read_traceparent, read_tracestate
from overnight_models.wire.verdict import Fault
from overnight_workers import process
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.settings import settings
from overnight_workers.sizes.chooser import Chooser
from overnight_workers.stages import chains, doorbell, pulse
from overnight_workers.stages.accept import gather
from overnight_workers.stages.accept.faults import fault, unreadable
from overnight_workers.stages.accept.gather import NOTHING, Beside, Gathered, Message
from overnight_workers.stages.accept.parts import TurnedDown, output_schema_of, prefix_of, rewritten
from overnight_workers.stages.pack import pack
from overnight_workers.stages.routing.accepting import Router
from overnight_workers.telemetry import counted, logs

MAX_TRIES: Final = 5
"""A message that killed its worker so often isn't parsed again."""

_NEW_SHAPES: Final = 20
"""Of one message: where each request has tools of its own, the rest goes unchecked."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

log = logs.get(__name__)


@app.task(name=routes.ACCEPT)
def accept(
    v: int,
    message_id: str,
    lane: str,
    items: str,
    run: str | None = None,
    encoding: str | None = None,
    **_later: object,
) -> str:
    """Accept one message (`overnight_models.wire.message`), and some that wait behind it. Again, it changes nothing.

    One that came back goes alone: whatever is wrong with it does no harm to others.
    """
    is_back = (accept.request.delivery_info or {}).get("redelivered")
    gathered: list[Gathered] = []
    try:
        pulse.at_work(routes.ACCEPT)
        if not is_back:
            gathered = gather.take(large=gather.LARGE_AT_ONCE - gather.is_large(items, encoding))
        own = Message(v, UUID(message_id), lane, items, encoding, run)
        done = take_in([own, *(waiting.message for waiting in gathered)])
    except Exception as error:
        # a task that fails is acknowledged, and its items would be gone; tries are counted, so this ends
        log.warning("messages put back", message_id=message_id, error=str(error), exc_info=_unexpected(error))
        pulse.failed(routes.ACCEPT, error, about=f"message {message_id}")
        gather.requeue(gathered)
        time.sleep(1)  # the database is away: there is no condition to wait for but time
        raise Reject(str(error), requeue=True) from error
    gather.done(gathered)
    for taken in (own, *(waiting.message for waiting in gathered)):
        pulse.succeeded(routes.ACCEPT, f"message {taken.id}")
    return done


def _unexpected(error: Exception) -> bool:
    return not isinstance(error, TransientError)


def take_in(messages: Sequence[Message], *, beside: Beside = NOTHING) -> str:
    """Accept messages, all of them or none. Those that were done before change nothing.

    Raises TransientError, and NoKey where a lane encrypts and has no key.
    """
    database = process.database()
    # counted in a transaction of its own, before anything of them is looked at: one may kill this process
    with database.transaction() as connection:
        begun = ledger.begin(connection, {message.id for message in messages})
    new = {message.id: message for message in messages if begun[message.id].verdict is None}
    if not new:
        return f"known: {begun[messages[0].id].verdict}"
    try:
        return _take_new(list(new.values()), begun, beside)
    except (DatabaseFull, NoKey):
        # that isn't the messages' fault: they aren't turned down for it
        with database.transaction() as connection:
            ledger.uncount(connection, new.keys())
        raise


def _say_rejected(lane: str, why: Sequence[object]) -> None:
    """A reason may name what was asked, so where a lane encrypts it isn't written into the log."""
    first = "not shown: its lane encrypts" if settings().lane(lane).encrypt is not None else why[0]
    log.warning("items rejected", lane=lane, rejected=len(why), first=first)


def _take_new(new: Sequence[Message], begun: Mapping[UUID, ledger.Begun], beside: Beside) -> str:
    """Accept messages that weren't done before."""
    readers: dict[str, _Reader] = {}
    readings = [_read(message, begun[message.id].tries, readers) for message in new]
    beside.before_writing()
    verdicts = _write(readings, beside)
    for reading, verdict in zip(readings, verdicts, strict=True):
        if verdict.rejected:
            _say_rejected(reading.lane, verdict.rejected)
    accepted, known = sum(verdict.accepted for verdict in verdicts), sum(verdict.known for verdict in verdicts)
    rejected = sum(len(verdict.rejected) for verdict in verdicts)
    counted.items(routes.ACCEPT, accepted)
    lanes = {
        reading.lane: reading.lane_id for reading, verdict in zip(readings, verdicts, strict=True) if verdict.accepted
    }
    if any(verdict.delivered for verdict in verdicts):
        doorbell.ring(routes.DELIVER)
    if any(pack.worth_a_look(lane, lane_id) for lane, lane_id in lanes.items()):
        doorbell.ring(routes.PACK)
    if any(item.direct_at is not None for reading in readings for item in reading.items):
        doorbell.ring(routes.DIRECT)
    if any(settings().lanes[lane].counts_first for lane in lanes):
        doorbell.ring(routes.MEASURE)
    counts = f"{accepted} accepted, {known} known, {rejected} rejected"
    return f"{new[0].lane}: {counts}" if len(new) == 1 else f"{len(new)} messages: {counts}"


@dataclass(frozen=True)
class _Reading:
    """One message, read: what of it can be rows, and what can't."""

    id: UUID
    lane: str
    lane_id: int = 0
    """Given when it has items."""
    run_id: int | None = None
    items: Sequence[NewItem] = ()
    rejected: Sequence[Fault] = ()


def _read(received: Message, tries: int, readers: dict[str, _Reader]) -> _Reading:
    """Read a message. readers: those of lanes that were met already."""
    try:
        lines = message.read_lines(received.items, received.encoding)
    except ValueError as error:  # how many they are, nobody knows
        return _Reading(received.id, received.lane, rejected=[fault(0, None, str(error))])
    wrong = _faults(received, tries)
    if wrong:
        return _Reading(received.id, received.lane, rejected=[fault(index, None, wrong) for index in range(len(lines))])
    if received.lane not in readers:
        readers[received.lane] = _Reader(received.lane)
    reader = readers[received.lane]
    items: list[NewItem] = []
    rejected: list[Fault] = []
    for position, line in enumerate(lines):
        read = reader.read(position, line)
        if isinstance(read, NewItem):
            items.append(read)
        else:
            rejected.append(read)
    names = process.names()
    lane_id, run_id = names.lane(received.lane), names.run(received.run)
    return _Reading(received.id, received.lane, lane_id, run_id, chains.joined(received.lane, lane_id, items), rejected)


def _faults(received: Message, tries: int) -> str | None:
    """Why nothing of a message can be accepted."""
    if received.v != message.VERSION:
        return f"accept messages of version {received.v} aren't known here: update the workers"
    if tries > MAX_TRIES:
        return f"its message failed {tries - 1} times; see the workers' log"
    if wrong_lane := lane_faults(received.lane, process.policy()):
        return wrong_lane[0]
    if not _may_name_a_run(received.run):
        return f"the run's name must be a text without NUL, not {received.run!r}"
    return None


def _may_name_a_run(run: object) -> bool:
    return run is None or (isinstance(run, str) and "\x00" not in run)


def _write(readings: Sequence[_Reading], beside: Beside) -> list[Verdict]:
    """Write what was read, and what became of each message, in one transaction."""
    together: dict[tuple[int, int | None], list[_Reading]] = {}
    for reading in readings:
        together.setdefault((reading.lane_id, reading.run_id), []).append(reading)
    verdicts: dict[UUID, Verdict] = {}
    with process.database().transaction() as connection:
        used = {item.prefix.id for reading in readings for item in reading.items if item.prefix is not None}
        if used and not prefixes.use(connection, used):
            process.prefixes().forget()
            raise prefixes.PrefixForgotten("a prefix was deleted just now: it is stored again")
        for (lane_id, run_id), group in together.items():
            items = [item for reading in group for item in reading.items]
            admissions = iter(ledger.insert_items(connection, (lane_id, group[0].lane), run_id, items))
            verdicts |= {
                reading.id: _verdict(reading, list(islice(admissions, len(reading.items)))) for reading in group
            }
        ledger.record_verdicts(connection, verdicts, {reading.id: reading.lane for reading in readings})
        beside.when_written(connection, list(verdicts))
    return [verdicts[reading.id] for reading in readings]


def _verdict(reading: _Reading, admissions: list[Admission]) -> Verdict:
    admitted = list(zip(reading.items, admissions, strict=True))
    taken = [
        fault(item.position, item.key, admission.why, item.receipt)
        for item, admission in admitted
        if admission.word == "conflicting"
    ]
    words = Counter(admission.word for admission in admissions)
    return Verdict(
        words["new"],
        words["known"],
        tuple(sorted([*reading.rejected, *taken], key=lambda fault: fault["index"])),
        delivered=sum(admission.delivers for admission in admissions),
        redone=sum(admission.redoes for admission in admissions),
        stand_for={
            item.receipt.lower(): admission.stands_for
            for item, admission in admitted
            if admission.stands_for is not None
        },
    )


class _Reader:
    """Reads the lines of one message; what they have in common is looked up once."""

    def __init__(self, lane: str) -> None:
        self._lane = lane
        self._rules = settings().lanes[lane]
        self._policy = process.policy()
        self._names = process.names()
        encrypts = self._rules.encrypt is not None
        self._owner = prefixes.Owner(self._names.lane(lane), lane) if encrypts else None
        self._router = Router(lane, self._rules)
        self._chooser = Chooser(lane, self._rules)
        self._models: dict[str, int] = {}
        self._targets: dict[tuple[str, str], int] = {}
        self._headers: dict[tuple[str, ...], int] = {}
        self._shapes: dict[tuple[int, bytes], int] = {}
        self._uncountable: dict[str, bool] = {}
        """By the hashes of prefixes."""

    def read(self, position: int, line: str) -> NewItem | Fault:
        """A line as an item ready to be written, or why it can't be."""
        try:
            item: ItemLine = exact_json.loads(line)
            receipt, key = str(item["id"]), item["key"]
            if not _UUID.fullmatch(receipt):
                raise ValueError(f"{receipt!r} is no UUID")
        except (ValueError, TypeError, KeyError) as error:
            return unreadable(position, line) or fault(
                position, None, f"not an item with `id`, `key` and `params`: {error!r}"
            )
        try:
            if "purged" in item:
                raise TurnedDown("it was purged before it was accepted")
            # one character is found ten times as fast as six
            may_hold_nul = "\\" in line and "\\u0000" in line
            return self._new_item(position, receipt, item, may_hold_nul=may_hold_nul)
        except TurnedDown as error:
            return fault(position, str(key)[:512], str(error), receipt)

    def _new_item(self, position: int, receipt: str, item: ItemLine, *, may_hold_nul: bool) -> NewItem:
        """An item whose parts were checked. Raises TurnedDown."""
        prefix = prefix_of(item, self._owner)
        written, size = self._checked(item, prefix, may_hold_nul=may_hold_nul)
        output = output_schema_of(item)
        key, betas = item["key"], item.get("betas")
        content = content_hash(written, betas, item.get("output"), prefix)
        params, choice = self._chooser.choose(item["params"], betas or (), prefix, size)
        if choice is not None:
            written, size = rewritten(params, prefix, written, size)
        callback, tenant = item.get("callback"), item.get("tenant")
        headers_id = self._headers_id(tuple(betas or ()))
        road = self._router.road(item)
        # in the order of its fields: with their names it takes three times as long, for each item
        return NewItem(
            position,
            receipt,
            key,
            key_hash(key),
            content,
            headers_id,
            self._names.tenant(tenant),
            self._model(params["model"]),
            None if output is None else self._names.output_schema(output),
            self._shape(headers_id, params, written, prefix) if self._rules.check_first else None,
            None if callback is None else self._target(*message.place_of(callback)),
            prefix,
            written,
            size,
            params["max_tokens"],
            tenant,
            item.get("trace_id"),
            None if callback is None else exact_json.dumps(callback),
            self._may_be_longer(written, size, prefix),
            item.get("cuttable"),
            None if choice is None else choice.why,
            choice is not None and choice.is_near,
            *road,
            item.get("if_known") or CONFLICT,
            read_traceparent(item.get("traceparent")),
            read_tracestate(item.get("tracestate")),
        )

    def _may_be_longer(self, written: bytes, size: int, prefix: Prefix | None) -> bool:
        """Whether it may have more tokens than the lane takes: then it is counted."""
        limit = self._rules.max_input_tokens
        return limit is not None and may_have_more(limit, size, written, b"" if prefix is None else prefix.document)

    def _checked(self, item: ItemLine, prefix: Prefix | None, *, may_hold_nul: bool) -> tuple[bytes, int]:
        """Its own part of the request, and the bytes of all of it. Raises TurnedDown."""
        params = item.get("params", {})
        try:
            written = exact_json.dumps(params)
        except (ValueError, TypeError) as error:
            where = exact_json.fault_in(params, "params", most_levels=exact_json.MOST_LEVELS)
            raise TurnedDown(where or str(error)) from error
        size = len(written) + (0 if prefix is None else len(prefix.head) + MARK_BYTES)
        faults = item_faults(item, lane=self._lane, size=size, policy=self._policy, may_hold_nul=may_hold_nul)
        if prefix is not None and not faults:
            faults = prefix.faults(params)
        if faults:
            raise TurnedDown("; ".join(faults))
        return (written if prefix is None else prefix.own(params)), size

    def _headers_id(self, betas: tuple[str, ...]) -> int:
        number = self._headers.get(betas)
        if number is None:
            rules = self._rules
            number = self._headers[betas] = self._names.headers(rules.workspace, betas, rules.api_version)
        return number

    def _model(self, name: str) -> int:
        number = self._models.get(name)
        if number is None:
            number = self._models[name] = self._names.model(name)
        return number

    def _shape(self, headers_id: int, params: dict[str, object], written: bytes, prefix: Prefix | None) -> int | None:
        """Its shape; None for what count_tokens doesn't take, so that it is never asked about."""
        if _is_uncountable(written, params) or (prefix is not None and self._is_uncountable(prefix)):
            return None
        shape = (headers_id, shape_of(params if prefix is None else {**prefix.tools, **params}))
        number = self._shapes.get(shape)
        if number is None and len(self._shapes) < _NEW_SHAPES:
            number = self._shapes[shape] = self._names.shape(*shape)
        return number

    def _is_uncountable(self, prefix: Prefix) -> bool:
        known = self._uncountable.get(prefix.hash)
        if known is None:
            fields = exact_json.loads(prefix.document)
            known = self._uncountable[prefix.hash] = _is_uncountable(prefix.document, fields)
        return known

    def _target(self, broker: str, queue: str) -> int:
        number = self._targets.get((broker, queue))
        if number is None:
            number = self._targets[broker, queue] = self._names.target(broker, queue)
        return number


def _is_uncountable(written: bytes, params: Mapping[str, object]) -> bool:
    """Whether count_tokens refuses it though batches take it. written: the same as JSON."""
    return not is_plain(params) and may_hold_uncountable(written) and bool(divide(params).left_out)
