"""One question of the command line: names and flags in, an answer out, every mistake named at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict, TypeVar, Unpack

from ampacity import _core
from ampacity._core import Catalogue, Cluster, Error, Estimate, InvalidSpec, Layout, Model, Problem, Software, Training
from ampacity._lookup import cluster as find_cluster
from ampacity._lookup import model as find_model
from ampacity._lookup import software as find_software

_T = TypeVar("_T")

# What stands in for a part that is itself wrong, so that the mistakes of the other parts show too.
_ANY_MODEL = "llama-3.1-8b"
_MOST_LAYOUTS = 10_000


class Mistakes:
    """Collects what goes wrong in the parts of a question."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def attempt(self, path: str, make: Callable[[], _T]) -> _T | None:
        """Return what `make` makes, or None with its problems noted."""
        try:
            return make()
        except InvalidSpec as error:
            self.problems += [p for p in error.problems if p not in self.problems]
        except Error as error:
            self.problems.append(Problem(path=path, rule=str(error)))
        return None


def _exact(value: object) -> object:
    """Return whole numbers as integers however they were typed (1e5); all else as it is."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


class Question(TypedDict):
    """What is given beside model and cluster: fields of layout and job, and where kernels were measured."""

    catalogue: Catalogue
    layout: Mapping[str, object]
    job: Mapping[str, object]
    accelerators: NotRequired[object]
    kernels: NotRequired[str | None]


def ask(model: str, cluster: str, **question: Unpack[Question]) -> Estimate:
    """Return the estimate of the fastest layout that agrees with what is given (see `find`)."""
    return find(model, cluster, **question)[2]


def find(model: str, cluster: str, **question: Unpack[Question]) -> tuple[Training, Cluster, Estimate]:
    """Return job, cluster, and the estimate of the fastest layout that agrees with what is given.

    Raises
    ------
    InvalidSpec
        Names every problem of model, cluster, job and layout.
    Infeasible
        Nothing fits in memory.
    """
    the_job, the_cluster, choice = _read(model, cluster, **question)
    return the_job, the_cluster, _core.estimate_fastest(the_job, the_cluster, **choice)


def find_many(
    keep: int, model: str, cluster: str, **question: Unpack[Question]
) -> tuple[Training, Cluster, list[Layout]]:
    """Return job (with the batch that layouts were found for), cluster, and the fastest layouts, as `find` does."""
    if not 1 <= keep <= _MOST_LAYOUTS:
        rule = f"must be between 1 and {_MOST_LAYOUTS:,}"
        raise InvalidSpec([Problem(path="layouts", value=str(keep), rule=rule, hint="")])
    job, the_cluster, choice = _read(model, cluster, **question)
    # Where the batch is found along with the layout, slower layouts may want another: some more, to choose from.
    found = _core.search(job, the_cluster, keep=8 * keep, **choice)
    if found.global_batch != job.global_batch:
        job = job.replace(global_batch=found.global_batch)
    layouts = (candidate.layout for candidate in found.candidates if _runs(job, the_cluster, candidate.layout))
    return job, the_cluster, list(itertools.islice(layouts, keep))


def _runs(job: Training, cluster: Cluster, layout: Layout) -> bool:
    try:
        return _core.estimate(job, cluster, layout).memory.fits
    except InvalidSpec:
        return False


def _read(
    model: str,
    cluster: str,
    *,
    catalogue: Catalogue,
    accelerators: object = None,
    layout: Mapping[str, object],
    job: Mapping[str, object],
    kernels: str | None = None,
) -> tuple[Training, Cluster, dict[str, Any]]:
    """Return job, cluster and what is said of the layout."""
    mistakes = Mistakes()
    the_model = mistakes.attempt("model", lambda: find_model(model, catalogue=catalogue))
    the_cluster = mistakes.attempt("cluster", lambda: find_cluster(cluster, catalogue=catalogue))
    if kernels is not None and the_cluster is not None:
        from ampacity._corrections import with_measured_kernels

        bare = the_cluster
        the_cluster = mistakes.attempt("kernels", lambda: with_measured_kernels(bare, kernels))
    the_job = _job(the_model, job, catalogue, mistakes)
    choice = {key: _exact(value) for key, value in layout.items()}
    choice |= {"accelerators": accelerators}
    if "global_batch" in job and the_job is not None:
        choice["global_batch"] = the_job.global_batch
    if mistakes.problems:
        mistakes.attempt("layout", lambda: _core.check_choice(**choice))
        raise InvalidSpec(mistakes.problems)
    assert the_job is not None
    assert the_cluster is not None
    return the_job, the_cluster, choice


def _job(
    model: Model | None, fields: Mapping[str, object], catalogue: Catalogue, mistakes: Mistakes
) -> Training | None:
    given: dict[str, Any] = dict(fields)
    name = given.pop("software", None)
    software: Software | None = None
    if name is not None:
        software = mistakes.attempt("software", lambda: find_software(name, catalogue=catalogue))
    if software is not None:
        given["software"] = software
    basis = model if model is not None else catalogue.model(_ANY_MODEL)
    return mistakes.attempt("training", lambda: Training(basis, **given))
