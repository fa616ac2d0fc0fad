"""Many layouts at once: arrays in, columns out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._columns import Columns, frozen, named
from ampacity._core import Cluster, Estimate, EstimateColumns, Layout, Training

if TYPE_CHECKING:
    import numpy as np

_SHOWN = ("step_time_s", "tokens_per_s", "mfu_fraction", "memory_bytes", "gpu_mean_w")
_SHOWN_ROWS = 5

Values = Any  # an array, a sequence or one value for all rows


class LayoutEstimates(Columns):
    """Answers of `estimate_layouts`: a mapping of column names to read-only numpy arrays, one value a row.

    Result columns (``step_time_s``, ``gemm_s``, ``memory_bytes``, ...; `units` says what each holds) view the memory of
    the C++ core without a copy; so do the columns of the layouts (``tp``, ``pp``, ...), but for names such as
    ``recompute``, which are made when asked for. Every column is an attribute too.

    A row that cannot run has NaN in its result columns; one that runs but does not fit in memory has its numbers.
    ``feasible`` is true where a row runs and fits, ``reason`` names what stands against it otherwise (``memory``, or the
    field at fault), and `why` says it in words.
    """

    __slots__ = ("_columns",)

    _columns: EstimateColumns

    def __init__(self, columns: EstimateColumns) -> None:
        keys = (*columns.layout_keys(), "global_batch", "seq_len", "feasible", "reason", *columns.keys())
        self._fix(_columns=columns, _keys=keys)

    @property
    def job(self) -> Training:
        """The job; where rows have batch or sequence length of their own, columns of these names say which."""
        return self._columns.job

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self._columns.cluster

    @property
    def rows(self) -> int:
        """Number of layouts."""
        return self._columns.__len__()

    @property
    def units(self) -> dict[str, str]:
        """What each result column holds, with its unit."""
        return dict(zip(self._columns.keys(), self._columns.docs(), strict=True))

    def _column(self, key: str) -> np.ndarray[Any, Any]:
        columns = self._columns
        if key == "feasible":
            return frozen(columns.reasons() == 0)
        if key == "reason":
            return named(columns.reason_names(), columns.reasons())
        if key in ("global_batch", "seq_len"):
            return columns.job_column(key)
        if key in columns.layout_keys():
            values, names = columns.layout_column(key)
            return named(names, values) if names else values
        return columns.column(key)

    @property
    def best(self) -> int | None:
        """Row with most tokens a second of those that run and fit; None where none does."""
        return self._columns.best()

    def why(self, row: int) -> str:
        """Return what stands against a row, in words; empty where it runs and fits."""
        return self._columns.reason(row)

    def caveats(self, row: int) -> tuple[str, ...]:
        """Return what the prediction of a row does not model or is less sure of (`Estimate.warnings` in short)."""
        bits = int(self._columns.caveats()[row])
        return tuple(name for i, name in enumerate(self._columns.caveat_names()) if bits >> i & 1)

    def layout(self, row: int) -> Layout:
        """Return the layout of a row."""
        return self._columns.layout(row)

    def estimate(self, row: int) -> Estimate:
        """Return the full estimate of a row; raises InvalidSpec where the row cannot run."""
        return self._columns.estimate(row)

    def reasons(self) -> dict[str, int]:
        """Return how many rows each reason keeps from running, most frequent first."""
        import numpy as np

        counts = np.bincount(self._columns.reasons(), minlength=1)
        names = self._columns.reason_names()
        order = sorted(range(1, len(counts)), key=lambda code: (-counts[code], code))
        return {names[code]: int(counts[code]) for code in order if counts[code]}

    def __repr__(self) -> str:
        feasible = int(self.feasible.sum())
        text = f"<LayoutEstimates {self.job.model.name} on {self.cluster.name}: {self.rows:,} layouts, {feasible:,} feasible"
        if self.best is not None:
            text += f", best {self.step_time_s[self.best]:.4g} s a step with {self.layout(self.best)!r}"
        for name, count in self.reasons().items():
            text += f", {count:,} against {name}"
        return text + ">"

    def _repr_html_(self) -> str:
        """Return the fastest feasible rows as a table for notebooks."""
        import numpy as np

        rows = np.flatnonzero(self.feasible)
        rows = rows[np.argsort(-self.tokens_per_s[rows], kind="stable")][:_SHOWN_ROWS]
        varied = [key for key in self._keys[: self._keys.index("feasible")] if len(np.unique(self[key])) > 1]
        heads = "".join(f"<th>{key}</th>" for key in (*varied, *_SHOWN))
        lines = (
            "".join(f"<td>{self[key][row]}</td>" for key in varied)
            + "".join(f"<td>{self[key][row]:.4g}</td>" for key in _SHOWN)
            for row in rows
        )
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        caption = (
            f"{self.job.model.name} on {self.cluster.name}: {self.rows:,} layouts, "
            f"{int(self.feasible.sum()):,} feasible"
        )
        return f"<table><caption>{caption}</caption><tr>{heads}</tr>{body}</table>"

    def __eq__(self, other: object) -> bool:
        import numpy as np

        if not isinstance(other, LayoutEstimates):
            return NotImplemented
        return (self.job, self.cluster, self.rows) == (other.job, other.cluster, other.rows) and all(
            np.array_equal(self[key], other[key], equal_nan=self[key].dtype.kind == "f") for key in self._keys
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        inputs = {key: self[key] for key in (*self._columns.layout_keys(), "global_batch", "seq_len")}
        # One value for all rows stays one.
        inputs = {key: column if column.strides[0] else column[:1].copy() for key, column in inputs.items()}
        return _again, (self.job, self.cluster, self.rows, inputs)


def _again(job: Training, cluster: Cluster, rows: int, inputs: dict[str, np.ndarray[Any, Any]]) -> LayoutEstimates:
    """Return the estimates of pickled inputs: computing again is as quick as reading, and gives the same."""
    import numpy as np

    whole: dict[str, Any] = {
        key: column if len(column) == rows else np.repeat(column, rows) for key, column in inputs.items()
    }
    return estimate_layouts(job, cluster, **whole)


@names_wrong_types
def estimate_layouts(
    job: Training,
    cluster: Cluster,
    *,
    threads: int = 1,
    global_batch: Values = None,
    seq_len: Values = None,
    **layout: Values,
) -> LayoutEstimates:
    """Predict many layouts of one job: arrays in, columns out, a million rows a second and core.

    Each number is bit for bit that of `estimate`; what layouts have in common is computed once. The loop runs in C++
    without the interpreter, and stops on Ctrl-C.

    Parameters
    ----------
    job
        What is trained.
    cluster
        What it runs on.
    threads
        How many threads share the rows; 0: as many as the machine has. Results do not depend on it.
    global_batch, seq_len
        Sequences per step and tokens per sequence of each row (default: the job's).
    **layout
        Any field of `Layout` (``tp``, ``pp``, ``dp``, ``micro_batch``, ``recompute``, ...): an array, a column of a data
        frame or a sequence with one value a row, or one value for all rows. Fields that are not given have the default of `Layout`.

    Returns
    -------
    LayoutEstimates
        A mapping of columns: step time (s), every term of its breakdown (s), of memory (bytes), power (W) and run.

    Raises
    ------
    InvalidSpec
        Names columns of different lengths, unknown fields, and values that are no numbers. A row that cannot run
        raises nothing: see `LayoutEstimates.feasible` and `LayoutEstimates.why`.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    >>> cluster = amp.cluster("dgx-h100-x1")
    >>> found = amp.estimate_layouts(job, cluster, tp=[1, 2, 2, 8], dp=[8, 4, 3, 1], recompute="full")
    >>> found.feasible.tolist()
    [True, True, False, True]
    >>> found.why(2)
    'training.global_batch = 64: must be a multiple of layout.dp x layout.micro_batch (3 x 1 = 3)'
    >>> found.layout(found.best).recompute
    'full'
    """
    found = _core.estimate_layouts(
        job,
        cluster,
        threads=threads,
        global_batch=_column(global_batch),
        seq_len=_column(seq_len),
        **{key: _column(value) for key, value in layout.items()},
    )
    return LayoutEstimates(found)


def _column(value: Any) -> Any:
    """Return columns of data frames and ranges as the arrays that they are; all else as it is."""
    if type(value).__module__ == "builtins" and not isinstance(value, range):
        return value
    import numpy as np

    if isinstance(value, range) or (hasattr(value, "__array__") and np.ndim(value) == 1):
        return np.asarray(value)
    return value
