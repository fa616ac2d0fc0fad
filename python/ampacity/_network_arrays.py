"""Numbers and arrays that users pass to networks, as the columns that the core reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ampacity._core import InvalidSpec, Problem

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Doubles = npt.NDArray[np.float64]


def whole(name: str, values: object) -> Integers:
    import numpy as np

    array = np.atleast_1d(np.asarray(values))
    if array.size and array.dtype.kind not in "iu":
        raise InvalidSpec([Problem(path=name, value=str(array.dtype), rule="must be whole numbers", hint="")])
    return np.ascontiguousarray(array.ravel(), dtype=np.int64)


def real(name: str, values: object, length: int) -> Doubles:
    import numpy as np

    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidSpec([Problem(path=name, value=repr(values)[:40], rule="must be numbers", hint="")]) from None
    if array.ndim == 0:
        array = np.broadcast_to(array, (length,))
    return np.ascontiguousarray(array.ravel())


def counts(name: str, values: Sequence[int]) -> list[int]:
    array = whole(name, values)
    return [int(value) for value in array]
