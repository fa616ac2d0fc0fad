"""Random draws of devices and tasks, number by number: slow, and written from their description only.

Random bits of (seed, entity, stream) are three rounds of SplitMix64. A device's speed is 1 plus the spread times the
normal quantile of stream 0 (53 bits, middle of the interval). Its tasks take five steps of 12 bits from each of the
streams from 2 on; a step stands for the quantile of its middle, scaled to a variance of 1, kept in 32 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from statistics import NormalDist

import numpy as np

_MASK = 2**64 - 1
_FIRST_TASK_STREAM = 2


def mixed(x: int) -> int:
    """Return SplitMix64 of x (Steele, Lea, Flood 2014)."""
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def random_bits(seed: int, entity: int, stream: int) -> int:
    """Return the 64 random bits of a key."""
    return mixed(mixed(mixed(seed) ^ entity) ^ stream)


def speed(seed: int, device: int, spread: float) -> float:
    """Return the speed of a device over the mean."""
    return 1 + spread * NormalDist().inv_cdf(((random_bits(seed, device, 0) >> 11) + 0.5) / 2**53)


@cache
def _steps() -> list[float]:
    values = [NormalDist().inv_cdf((i + 0.5) / 4096) for i in range(4096)]
    scale = (4096 / sum(v * v for v in values)) ** 0.5
    return [float(np.float32(scale * float(np.float32(v)))) for v in values]


def deviations(seed: int, device: int) -> Iterator[float]:
    """Yield the standard normal deviations of a device's tasks, in the order in which it works them off."""
    stream = _FIRST_TASK_STREAM
    while True:
        bits = random_bits(seed, device, stream)
        for k in range(5):
            yield _steps()[bits >> 12 * k & 4095]
        stream += 1
