"""A line on stderr that says how far long work is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

_FIRST_S = 1.0  # shorter work shows nothing
_BETWEEN_S = 0.1
_WIDTH = 30


class ProgressBar:
    """Shows the share of work that is done, from the first second on; a context that wipes its line at the end.

    Parameters
    ----------
    label
        What is worked on.
    stream
        Where it is shown; nothing is where that is no terminal.
    clock
        Seconds.
    """

    def __init__(self, label: str, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._start_s = clock()
        self._shown_s = self._start_s + _FIRST_S - _BETWEEN_S
        self._longest = 0

    def __enter__(self) -> Self:
        return self

    def __call__(self, done_fraction: float) -> None:
        """Show the share if it is time to."""
        now_s = self._clock()
        if now_s - self._shown_s < _BETWEEN_S or not self._stream.isatty():
            return
        self._shown_s = now_s
        full = round(_WIDTH * done_fraction)
        line = f"{self._label} [{'#' * full}{'.' * (_WIDTH - full)}] {done_fraction:4.0%}"
        if done_fraction > 0:
            line += f"  {(now_s - self._start_s) * (1 - done_fraction) / done_fraction:.0f} s left"
        self._write(line)

    def __exit__(self, *_: object) -> None:
        if self._longest:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()

    def _write(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._longest))
        self._stream.flush()
        self._longest = max(self._longest, len(line))
