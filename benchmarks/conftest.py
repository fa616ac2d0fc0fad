"""What all benchmarks share.

Benchmarks are plain pytest-benchmark tests: ``pytest benchmarks``. Each asserts its result, so that a fast wrong answer
fails, and keeps its name, so that figures can be compared between releases.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

import pytest


def _measure(function: Callable[..., Any], arguments: tuple[Any, ...], pipe: Any) -> None:
    import resource  # not on Windows

    function(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send(peak if sys.platform == "darwin" else 1024 * peak)


@pytest.fixture
def peak_rss_bytes() -> Callable[..., int]:
    """Return a function that runs a module-level function in a fresh process and returns its peak memory in bytes.

    Use it as ``benchmark.extra_info["peak_rss_bytes"] = peak_rss_bytes(function, argument)``.
    """
    if sys.platform == "win32":
        pytest.skip("peak memory is not measured on Windows")

    def measure(function: Callable[..., Any], *arguments: Any) -> int:
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_measure, args=(function, arguments, sender))
        process.start()
        sender.close()
        try:
            return int(receiver.recv())
        finally:
            process.join()

    return measure
