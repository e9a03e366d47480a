"""How a signal ends a process that has tokens to revoke. All of it does nothing outside of the main thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]
_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]  # not on Windows


@contextmanager
def unwinding() -> Iterator[None]:
    """Signals that would end the process at once raise :exc:`SystemExit`, as Ctrl-C raises an exception."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    with _handling([each for each in _ENDING if signal.getsignal(each) is signal.SIG_DFL], end):
        yield


@contextmanager
def held_back() -> Iterator[None]:
    """The first signal takes effect at the end of the block. A second one does at once."""
    held: list[int] = []
    before: dict[int, Handler] = {each: found for each in _ENDING if callable(found := signal.getsignal(each))}

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            before[number](number, frame)
        held.append(number)

    try:
        with _handling(before, hold):
            yield
    finally:
        if len(held) == 1:
            before[held[0]](held[0], None)


@contextmanager
def _handling(signals: Iterable[int], handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, handler) for each in signals}
    try:
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)
