"""What a call says that was given something of another kind than its signature names.

Bindings answer a wrong argument with pages of signatures. Functions under `names_wrong_types` say in one line each which
arguments are wrong, what they were, and what belongs there.
"""

from __future__ import annotations

import functools
import inspect
import operator
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

from ampacity._core import Cluster, Error, InvalidSpec, Layout, Problem, Training

P = ParamSpec("P")
R = TypeVar("R")

_CLASSES: dict[str, type] = {"job": Training, "cluster": Cluster, "layout": Layout}
_LONGEST_VALUE = 60
_LARGEST_WHOLE = 2**63 - 1
_WHOLE = "a whole number from 0 to 2**63 - 1"
# How annotations say it, and how people do.
_WORDS = {
    "int": _WHOLE,
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "os.PathLike": "a path",
    "ArrayLike": "numbers",
    "Numbers": "numbers",
    "None": "None",
}


def names_wrong_types(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function that failed over the types of its arguments say which of them are wrong.

    Costs nothing where they are right: they are looked at only after a ``TypeError`` or its like. Whole numbers of other
    kinds (numpy's) are then taken as such and the function is called once more.

    Raises
    ------
    TypeError
        Arguments of another type than the signature says, one line each.
    InvalidSpec
        Numbers out of the range that any such argument has.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Error:
            raise
        except (TypeError, AttributeError, OverflowError, ValueError):
            given = _given(function, args, kwargs)
            if given is None:
                raise
            wrong = list(_wrong(function, given))
            exact = {name: _exact(value) for name, value in given.items() if name not in _specs(function)}
            if not wrong and all(exact[name] is given[name] for name in exact):
                raise
        if wrong:
            _refuse(wrong)
        positional = [exact.get(name, value) for name, value in zip(given, args, strict=False)]
        return function(*positional, **{name: exact.get(name, value) for name, value in kwargs.items()})

    return call


def _specs(function: Callable[..., Any]) -> set[str]:
    """Return the arguments of a function that are specifications."""
    return _CLASSES.keys() & inspect.signature(function).parameters.keys()


def _given(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments by name; None where they do not fit the signature, which Python says well itself."""
    try:
        return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    except TypeError:
        return None


def _exact(value: Any) -> Any:
    """Return whole numbers of other kinds as Python's; all else as it is."""
    if isinstance(value, (int, str, bytes)) or not hasattr(value, "__index__"):
        return value
    try:
        return operator.index(value)
    except TypeError:
        return value


def _refuse(wrong: list[tuple[str, str, str, bool]]) -> None:
    if all(of_value for *_, of_value in wrong):
        raise InvalidSpec([Problem(path=name, value=value, rule=rule) for name, value, rule, _ in wrong])
    raise TypeError("\n".join(f"{name} = {value}: {rule}" for name, value, rule, _ in wrong))


def _wrong(function: Callable[..., Any], given: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield name, value and rule of each wrong argument, and whether its type would do."""
    parameters = inspect.signature(function).parameters
    wanted_of = {name: kind for name, kind in _CLASSES.items() if name in given and not _several(parameters[name])}
    for name, wanted in wanted_of.items():
        value = given[name]
        if isinstance(value, wanted) or (value is None and parameters[name].default is None):
            continue
        if "Name" in str(parameters[name].annotation) and isinstance(value, (str, os.PathLike)):
            continue
        rule = f"must be an ampacity.{wanted.__name__}, not {type(value).__name__}{_hint(name, value)}"
        yield name, _shown(value), rule, False
    for name, value in given.items():
        if name in wanted_of or parameters[name].annotation is inspect.Parameter.empty or _several(parameters[name]):
            continue
        other = _first_of_other(str(parameters[name].annotation), value)
        if other is not None:
            place, one, wanted_name = other
            where = name if place < 0 else f"{name}[{place}]"
            rule = f"must be {'a sequence of ' if place < 0 else 'an '}ampacity.{wanted_name}, not {type(one).__name__}"
            yield where, _shown(one), rule, False
            continue
        kinds = _kinds(str(parameters[name].annotation))
        if any(_is(value, kind) for kind in kinds):
            continue
        words = [_WORDS.get(kind, f"an ampacity.{kind}") for kind in kinds if kind != "None"]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        of_value = (
            number and bool({"int", "float"} & set(kinds)) and not (isinstance(value, float) and "float" not in kinds)
        )
        rule = "must be " + " or ".join(words) + ("" if of_value else f", not {type(value).__name__}")
        yield name, _shown(value), rule, of_value


def _several(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def _first_of_other(annotation: str, value: Any) -> tuple[int, Any, str] | None:
    """Return place, value and class of what does not belong in a ``Sequence[Layout]``."""
    import ampacity

    held = re.fullmatch(r"Sequence\[(\w+)\]", annotation)
    wanted = getattr(ampacity, held[1], None) if held else None
    if held is None or not isinstance(wanted, type):
        return None
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return -1, value, held[1]
    return next(((i, one, held[1]) for i, one in enumerate(value) if not isinstance(one, wanted)), None)


def _kinds(annotation: str) -> list[str]:
    """Return the alternatives of an annotation, without what they contain: ``str | os.PathLike[str]``."""
    bare = re.sub(r"\[[^\[\]]*\]", "", annotation)
    while bare != (bare := re.sub(r"\[[^\[\]]*\]", "", bare)):
        pass
    return [kind.strip().strip("'\"").removeprefix("npt.").removeprefix("_core.") for kind in bare.split("|")]


def _is(value: Any, kind: str) -> bool:
    """Return whether a value may be of that kind; yes for kinds that are not known here."""
    if kind == "None":
        return value is None
    if kind == "bool":
        return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    if kind == "int":
        exact = _exact(value)
        return isinstance(exact, int) and not isinstance(exact, bool) and 0 <= exact <= _LARGEST_WHOLE
    if kind == "str":
        return isinstance(value, str)
    if kind == "os.PathLike":
        return isinstance(value, (str, os.PathLike))
    if kind in ("float", "ArrayLike", "Numbers"):
        return _are_numbers(value, single=kind == "float")
    import ampacity

    wanted = getattr(ampacity, kind, None)
    return not isinstance(wanted, type) or isinstance(value, wanted)


def _are_numbers(value: Any, *, single: bool) -> bool:
    import numpy as np

    if value is None or isinstance(value, (str, bytes, dict)):
        return False
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError, OverflowError):
        return False
    return not single or array.ndim == 0


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def _hint(name: str, value: Any) -> str:
    if name == "cluster" and isinstance(value, str):
        return f"; ampacity.cluster({value!r}) finds it in the catalogue"
    if name == "job" and isinstance(value, str):
        return f"; ampacity.Training({value!r}, global_batch=...) makes one"
    return "; ampacity.Layout(tp=..., pp=..., dp=...) makes one" if name == "layout" else ""
