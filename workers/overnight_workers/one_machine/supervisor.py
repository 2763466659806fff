"""Keeps a set of processes running: what `overnight up` and `overnight demo` stand on.

    with Supervisor(data_dir) as supervisor:
        supervisor.start(postgres.process(), valkey.process())  # at once; returns when both are ready
        migrate(postgres.url)
        supervisor.start(*workers)
        supervisor.run_forever()

All forking, watching, restarting and stopping happens in one thread, the keeper. It never ends before its
children: Linux takes the end of the thread that forked for the death of the parent (see `leash`). Nothing
that hits the main thread, a `KeyboardInterrupt` anywhere included, can make it lose a process.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from overnight_models.errors import PermanentError
from overnight_workers.one_machine.supervision.child import Child, Process
from overnight_workers.one_machine.supervision.disk import DiskWatch
from overnight_workers.one_machine.supervision.run_directory import AlreadyRunning, RunDirectory, Started

__all__ = ["AlreadyRunning", "NotReady", "Process", "Supervisor", "SupervisorStopped"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_READY_POLL_SECONDS = 0.02
_SURVIVORS_GRACE_SECONDS = 15.0
_SHORT_LIFE_SECONDS = 3.0
_ANSWER_LOOK_SECONDS = 1.0
_STARTS_BEFORE_READY = 3
_AT_WORK = 0.02  # of a processor: what waits in vain looks around now and then, too
_LOOK_SECONDS = 5.0  # nothing waits for this: a second line behind the handles


class NotReady(PermanentError):
    """A process didn't become ready in time. Its log says why."""


class SupervisorStopped(PermanentError):
    """The supervisor is stopping, or has stopped: it starts nothing any more."""


class Supervisor:
    """One data directory's processes, as a context manager: everything is stopped when the block is left.

    In the main thread the first SIGINT, SIGTERM or SIGHUP stops everything and raises `KeyboardInterrupt`
    (`run_forever` returns instead); the second kills.

    say: takes one-line or few-line news for the console, from the keeper's thread.
    """

    def __init__(self, data_dir: Path, say: Callable[[str], object] = print) -> None:
        self._data_dir = data_dir
        self._tell = say
        self._groups: list[list[Child]] = []
        self._remembered: list[Started] = []
        self._disk = DiskWatch(data_dir)
        self._orders: queue.SimpleQueue[tuple[tuple[Process, ...], Future[list[Child]]]] = queue.SimpleQueue()
        self._stopping = False
        self._killing = False
        self._signals = 0
        self._ended = threading.Event()
        self._fault: BaseException | None = None
        self._previous_handlers: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        self._directory = RunDirectory(self._data_dir)
        try:
            survivors = self._directory.end_survivors(_SURVIVORS_GRACE_SECONDS)
            self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        except BaseException:
            self._directory.release()
            raise
        if survivors:
            self._say(f"ended what an earlier run left behind: {', '.join(survivors)}")
        # Handlers first: a signal from here on ends the keeper too, were `__exit__` never reached.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                # What was ignored from the start (nohup) stays so.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous_handlers[number] = signal.signal(number, self._on_signal)
        # Not a daemon: whatever becomes of the main thread, the interpreter waits for the last child.
        self._keeper = threading.Thread(target=self._keep, name="supervisor")
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        os.close(self._bell)
        self._directory.release()
        if self._fault is not None and (kind is None or isinstance(error, SupervisorStopped)):
            raise self._fault

    def start(self, *processes: Process) -> None:
        """Start these at once and wait until each is ready. They are stopped together too."""
        answer: Future[list[Child]] = Future()
        self._orders.put((processes, answer))
        self._ring()
        while not answer.done():
            # The keeper answers what was ordered before its end; this order may have come after it.
            if self._ended.is_set() and not answer.done():
                raise SupervisorStopped("the supervisor has stopped")
            wait([answer], timeout=_ANSWER_LOOK_SECONDS)
        for child in answer.result():
            self._await_ready(child)

    def run_forever(self) -> None:
        """Block until a signal or `stop` (from another thread) has ended everything."""
        with contextlib.suppress(KeyboardInterrupt):
            self._ended.wait()
        self.stop()

    def stop(self) -> None:
        """Stop everything, last started first, and wait for it. Calling it again does no harm."""
        self._stopping = True
        self._ring()
        self._keeper.join()

    def pids(self) -> dict[str, int]:
        """The running processes by name."""
        children = [child for group in list(self._groups) for child in list(group)]
        return {child.process.name: pid for child in children if (pid := child.pid) is not None}

    def _await_ready(self, child: Child) -> None:
        process = child.process
        if process.ready is None:
            return
        began = idle_since = time.monotonic()
        ticks, starts = 0, child.starts
        while not process.ready():
            if self._stopping or self._ended.wait(_READY_POLL_SECONDS):
                raise SupervisorStopped(f"stopped before {process.name} was ready")
            if not child.is_running and child.restart_at is None and not process.restart:
                raise NotReady(f"{process.name} ended. {_ending(child)}")
            now = time.monotonic()
            if now - idle_since <= process.ready_timeout_seconds:
                continue
            # what uses the processor is still starting, however slow the machine; what dies again and again isn't
            used = child.processor_ticks()
            at_work = (used - ticks) / os.sysconf("SC_CLK_TCK") >= _AT_WORK * process.ready_timeout_seconds
            if not at_work or child.starts > starts + _STARTS_BEFORE_READY:
                raise NotReady(f"{process.name} isn't ready after {now - began:.3g} s. {_ending(child)}")
            ticks, idle_since = used, now
            self._say(f"{process.name} is still starting, after {now - began:.0f} s")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        was_stopping, self._stopping = self._stopping, True
        self._killing = self._signals > 1
        self._ring()
        if not was_stopping:
            # The keeper stops everything from here on, wherever this lands in the main thread.
            raise KeyboardInterrupt

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # it has been closed: nobody is left to wake
            os.eventfd_write(self._bell, 1)

    def _say(self, news: str) -> None:
        # The terminal may be gone; that is no reason to stop anything.
        with contextlib.suppress(OSError, ValueError):
            self._tell(news)

    # From here on: the keeper's thread.

    def _keep(self) -> None:
        try:
            while not self._stopping or self._groups:
                self._obey()
                self._look_for_ends()
                self._reap_orphans()
                self._act()
                self._remember()
                self._wait()
        except BaseException as fault:  # noqa: BLE001 - raised again in the main thread
            self._fault = fault
        finally:
            self._stopping = True
            for child in self._children():
                child.kill()
                child.reap()
            self._obey()
            self._ended.set()

    def _children(self) -> list[Child]:
        return [child for group in self._groups for child in group]

    def _obey(self) -> None:
        while True:
            try:
                processes, answer = self._orders.get_nowait()
            except queue.Empty:
                return
            if self._stopping:
                answer.set_exception(SupervisorStopped("the supervisor is stopping"))
                continue
            group: list[Child] = []
            self._groups.append(group)
            try:
                for process in processes:
                    # Known before it is started: whatever fails, it isn't lost.
                    group.append(Child(process, self._directory))
                    group[-1].start()
                    self._remember()
            except (OSError, PermanentError) as error:
                answer.set_exception(error)
            except BaseException as fault:
                answer.set_exception(fault)
                raise
            else:
                answer.set_result(group)

    def _look_for_ends(self) -> None:
        for child in self._children():
            how = child.reap()
            if how is None or self._stopping:
                continue
            name = child.process.name
            if not child.process.restart:
                self._say(f"{name} ended ({how})")
                continue
            age = child.age_seconds
            # whoever was killed has no last words, but for those of a start that went wrong
            why = f". {_ending(child)}" if age < _SHORT_LIFE_SECONDS or "exit status" in how else ""
            delay = child.schedule_restart()
            if not delay:
                if self._start_again(child):
                    self._say(f"{name} died ({how}), started again{why}")
                continue
            self._say(f"{name} died ({how}) {age:.1f} s after its start, starting it again in {delay:g} s{why}")

    def _reap_orphans(self) -> None:
        """End the traces of what dead children of ours had started: with a fork server, orphans are ours.

        What has our own session was started by somebody else in this process, who waits for it.
        """
        if not any(child.process.fork_server for child in self._children()):
            return
        ours = {child.pid for child in self._children()}
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in ours or os.getsid(ended.si_pid) == os.getsid(0):
                    return
                os.waitpid(ended.si_pid, 0)

    def _act(self) -> None:
        if self._killing:
            for child in self._children():
                child.kill()
                child.reap()
        if self._stopping:
            self._stop_last_group()
            return
        if news := self._disk.news():
            self._say(news)
        now = time.monotonic()
        for child in self._children():
            if child.restart_at is not None and now >= child.restart_at and self._start_again(child):
                self._say(f"{child.process.name} started again")

    def _start_again(self, child: Child) -> bool:
        try:
            child.start()
        except (OSError, PermanentError) as error:
            delay = child.schedule_restart()
            self._say(f"{child.process.name} can't be started, trying again in {delay:g} s: {error}")
            return False
        return True

    def _stop_last_group(self) -> None:
        while self._groups:
            for child in self._groups[-1]:
                if child.ask_to_stop():
                    grace = child.process.grace_seconds
                    self._say(f"{child.process.name} didn't stop within {grace:g} s, killed")
                child.reap()
            if any(child.is_running for child in self._groups[-1]):
                return
            self._groups.pop()

    def _remember(self) -> None:
        now = [started for child in self._children() if (started := child.started()) is not None]
        if now != self._remembered:
            # on a full disk what runs goes on, and the next look tries again
            with contextlib.suppress(OSError):
                self._directory.remember(now)
                self._remembered = now

    def _wait(self) -> None:
        if self._stopping and not self._groups:
            return
        children = self._children()
        times = [at for child in children for at in (child.restart_at, child.kill_at) if at is not None]
        seconds = min([_LOOK_SECONDS, *(at - time.monotonic() for at in times)])
        waiter = select.poll()
        for handle in [self._bell, *(child.handle for child in children if child.handle is not None)]:
            waiter.register(handle, select.POLLIN)
        # Rounded up: waking a little early would only go round once more, for nothing.
        waiter.poll(max(0, int(seconds * 1000) + 1))
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)


def _ending(child: Child) -> str:
    lines = "".join(f"\n    {line}" for line in child.last_words())
    return f"Its log, {child.log}, ends:{lines}" if lines else f"Its log is {child.log}"
