"""Simulations in files: saved and loaded, and as a folder of tables, traces and pictures."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampacity._columns import Columns, Table, frozen
from ampacity._core import Cluster, Error, Layout, Training, __version__
from ampacity._files import file_error
from ampacity._given import GIVEN
from ampacity._links import NetworkHealth, health_dict, health_from
from ampacity._telemetry import Telemetry
from ampacity._variability import Variability

if TYPE_CHECKING:
    import numpy as np

    from ampacity._simulate import Simulation
    from ampacity._simulation_views import SimulationViews

FORMATS = ("npz", "csv", "parquet")
_SAME = 1e-9  # compilers and processors may differ in the last digits


# ------------------------------------------------------------------------------------------------------- save and load


def save(sim: SimulationViews, path: str | os.PathLike[str], options: Mapping[str, Any]) -> None:
    """Write question and columns to one ``.npz`` without pickle."""
    import numpy as np

    given = options["given"]
    question = {
        "ampacity": __version__,
        "job": sim.job.to_dict(),
        "cluster": sim.cluster.to_dict(),
        "layout": sim.layout.to_dict(),
        "options": {key: _plain(value) for key, value in options.items() if key != "given"},
    }
    columns: dict[str, Any] = {f"devices_{key}": sim.devices[key] for key in sim.devices}
    columns |= {f"given_{key}": value for key, value in given.items()}
    columns["replica_end_s"] = sim.replica_end_s
    columns["question"] = np.frombuffer(json.dumps(question, allow_nan=False).encode(), dtype=np.uint8)
    try:
        with open(os.fspath(path), "wb") as file:  # noqa: PTH123 (a file, so that numpy appends no ending)
            np.savez(file, **columns)
    except OSError as error:
        raise file_error(path, f"cannot be written: {error.strerror or error}") from None


def _plain(value: object) -> object:
    if isinstance(value, NetworkHealth):
        return health_dict(value)
    return dataclasses.asdict(value) if isinstance(value, Variability) else value


def _variability(saved: dict[str, Any]) -> Variability:
    if saved["telemetry"] is not None:
        columns = tuple((key, tuple(values)) for key, values in saved["telemetry"]["columns"])
        saved = saved | {"telemetry": Telemetry(saved["telemetry"]["path"], columns)}
    return Variability(**saved)


def load(path: str | os.PathLike[str], make: Callable[..., Simulation]) -> Simulation:
    """Return the simulation of a saved question, and make sure that it gives the saved columns."""
    saved = _read(path)
    try:
        question = json.loads(saved["question"].tobytes())
        options = question["options"]
        options["given"] = {key: saved[f"given_{key}"] for key in GIVEN if f"given_{key}" in saved}
        options["variability"] = _variability(options["variability"])
        options["network_health"] = health_from(options.get("network_health"))
        options["exclude"] = tuple(options["exclude"])
        job, layout = Training.from_dict(question["job"]), Layout.from_dict(question["layout"])
        sim = make(job, Cluster.from_dict(question["cluster"]), layout, **options)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, Error):
            raise
        raise file_error(path, "must be a simulation that was saved by Ampacity") from None
    _compare(path, sim, saved, question["ampacity"])
    return sim


def _read(path: str | os.PathLike[str]) -> dict[str, np.ndarray[Any, Any]]:
    import zipfile

    import numpy as np

    try:
        with open(os.fspath(path), "rb") as file:  # noqa: PTH123 (numpy leaves broken files open)
            found = np.load(file, allow_pickle=False)
            return {key: found[key] for key in found.files}
    except OSError as error:
        raise file_error(path, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, AttributeError):
        raise file_error(path, "must be a simulation that was saved by Ampacity") from None


def _compare(path: str | os.PathLike[str], sim: Simulation, saved: Mapping[str, Any], version: str) -> None:
    import numpy as np

    for key in sim.devices:
        column = saved.get(f"devices_{key}")
        if column is None or np.allclose(column, sim.devices[key], rtol=_SAME, atol=_SAME * sim.step_time_s):
            continue
        rule = f"was saved by Ampacity {version}, whose {key} this one ({__version__}) does not give"
        raise file_error(path, rule, "numpy.load reads the columns")


# --------------------------------------------------------------------------------------------------------------- folder


def write_folder(sim: SimulationViews, folder: str, summary: dict[str, Any], *, columns: str, pictures: bool) -> None:
    """Write the summary, all columns in the format, a trace of a few devices, and pictures where matplotlib is.

    Raises
    ------
    Error
        The folder cannot be written, or a package that the format needs is missing.
    """
    path = Path(folder)
    tables: dict[str, Columns] = {
        "devices": sim.devices,
        "replicas": Table({"end_s": frozen(sim.replica_end_s)}, {"end_s": "end of the pipeline of each replica (s)"}),
        "power": sim.power_trace(),
        "stages": sim.by("stage"),
        "racks": sim.by("rack"),
    }
    try:
        path.mkdir(parents=True, exist_ok=True)
        text = json.dumps(summary, indent=2, allow_nan=False)
        (path / "summary.json").write_text(text + "\n", encoding="utf-8")
        for name, table in tables.items():
            _write(table, path / f"{name}.{columns}", columns)
    except OSError as error:
        raise Error(f"cannot write to {folder}: {error.strerror or error}") from error
    sim.to_perfetto(path / "trace.json.gz", _few(sim))
    if pictures and importlib.util.find_spec("matplotlib") is not None:
        sim.plot_heatmap("mean_w", path / "mean_w.png")
        sim.plot_heatmap("wait_peers_s", path / "wait_peers_s.png")
        sim.plot_waits(path / "waits.png")
        sim.plot_timeline(sim.critical.replica, path / "timeline.png")
        sim.plot_power(path / "power.png")


def _few(sim: SimulationViews) -> list[int]:
    """Return the critical device, and one of every stage of its replica (at most sixteen)."""
    layout, critical = sim.layout, sim.critical
    peers = layout.tp * layout.cp
    stages = range(0, layout.pp, -(-layout.pp // 16))
    return sorted({critical.device, *(peers * (critical.replica + layout.dp * stage) for stage in stages)})


def _write(table: Columns, path: Path, kind: str) -> None:
    import numpy as np

    if kind == "npz":
        columns: dict[str, Any] = table.to_dict()
        np.savez(path, **columns)
    elif kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(table)
            writer.writerows(zip(*(table[key].tolist() for key in table), strict=True))
    else:
        try:
            import pyarrow.parquet
        except ImportError:
            raise Error("parquet needs pyarrow: pip install 'ampacity[arrow]'") from None
        pyarrow.parquet.write_table(table.to_arrow(), path)
