"""What all benchmarks share.

Benchmarks are plain pytest-benchmark tests: ``pytest benchmarks``. Each asserts its result, so that a fast wrong answer
fails, and keeps its name, so that figures can be compared between releases.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where ru_maxrss begins at what the parent had
        return 1024 * int(status.read_text(encoding="ascii").split("VmHWM:")[1].split()[0])
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else 1024 * int(peak)


def _measure(function: Callable[..., Any], arguments: tuple[Any, ...], pipe: Any) -> None:
    function(*arguments)
    pipe.send(_peak_bytes())


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
