"""Numbers and arrays that users pass to networks, as the columns that the core reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ampacity._core import InvalidSpec, Problem

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ampacity._network_results import NetworkEvent

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


def event_columns(events: Sequence[NetworkEvent]) -> tuple[Doubles, Integers, Integers, Doubles]:
    """Return times, kinds of part (0 link, 1 switch), numbers and shares."""
    import numpy as np

    return (
        np.array([event.at_s for event in events], dtype=np.float64),
        np.array([int(event.link is None) for event in events], dtype=np.int64),
        whole(
            "events", [event.switch if event.link is None else event.link for event in events] or np.zeros(0, np.int64)
        ),
        np.array([event.fraction for event in events], dtype=np.float64),
    )


def counts(name: str, values: Sequence[int]) -> list[int]:
    array = whole(name, values)
    return [int(value) for value in array]
