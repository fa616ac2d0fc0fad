"""What a call says that was given a name, a number or a tuple where it takes a job, a cluster or a layout."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

from ampacity._core import Cluster, Layout, Training

P = ParamSpec("P")
R = TypeVar("R")

_CLASSES: dict[str, type] = {"job": Training, "cluster": Cluster, "layout": Layout}
_LONGEST_VALUE = 60


def names_wrong_types(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function that failed over the types of ``job``, ``cluster`` and ``layout`` say which of them are wrong.

    Costs nothing where they are right: they are looked at only after a ``TypeError`` or ``AttributeError``.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (TypeError, AttributeError):
            wrong = list(_wrong(function, args, kwargs))
            if not wrong:
                raise
        raise TypeError("\n".join(wrong))

    return call


def _wrong(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[str]:
    import inspect

    parameters = inspect.signature(function).parameters
    given = {**dict(zip(parameters, args, strict=False)), **kwargs}
    for name, wanted in _CLASSES.items():
        if name not in given or isinstance(given[name], wanted):
            continue
        value = given[name]
        if value is None and parameters[name].default is None:
            continue
        text = repr(value)
        shown = text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."
        hint = _hint(name, value)
        yield f"{name} = {shown}: must be an ampacity.{wanted.__name__}, not {type(value).__name__}" + hint


def _hint(name: str, value: Any) -> str:
    if name == "cluster" and isinstance(value, str):
        return f"; ampacity.cluster({value!r}) finds it in the catalogue"
    if name == "job" and isinstance(value, str):
        return f"; ampacity.Training({value!r}, global_batch=...) makes one"
    return "; ampacity.Layout(tp=..., pp=..., dp=...) makes one" if name == "layout" else ""
