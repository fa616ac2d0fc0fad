"""Weather years: of a climate, or of a user's file."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import Climate, InvalidSpec
from ampacity._files import file_error, in_file, read_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_HUMIDITY = "relative_humidity"
_COLUMNS = ("time", "dry_bulb_c", "wet_bulb_c", _HUMIDITY)


@dataclasses.dataclass(frozen=True, eq=False)
class Weather:
    """Hours of a year, the first at midnight of January 1st, local standard time.

    Attributes
    ----------
    dry_bulb_c
        Temperature of the air (C), read-only.
    wet_bulb_c
        Thermodynamic wet-bulb temperature (C), read-only.
    """

    dry_bulb_c: npt.NDArray[np.float64]
    wet_bulb_c: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of hours."""
        return len(self.dry_bulb_c)


@names_wrong_types
def weather_year(climate: Climate) -> Weather:
    """Return the hours that a climate's monthly means imply.

    Between months the means are interpolated; over a day temperature is a cosine with its maximum at 15:00; from day to
    day it follows three sines of 3.1, 5.3 and 8.9 days with the months' standard deviation, as fronts do. The same
    for every call.

    Parameters
    ----------
    climate
        From the catalogue, or your own.

    Returns
    -------
    Weather
        8,760 hours.

    Raises
    ------
    InvalidSpec
        The climate does not have twelve months.

    Examples
    --------
    >>> import ampacity as amp
    >>> year = amp.weather_year(amp.climate("memphis"))
    >>> len(year), bool((year.wet_bulb_c <= year.dry_bulb_c).all())
    (8760, True)
    """
    return Weather(*_core.weather_year(climate))


@names_wrong_types
def read_weather(path: str | os.PathLike[str], *, elevation_m: float = 0.0) -> Weather:
    r"""Read the hours of a measured year from a CSV file.

    Parameters
    ----------
    path
        A file with one line an hour and the columns ``dry_bulb_c`` and either ``wet_bulb_c`` or ``relative_humidity``
        (0 to 1, or percent if any value is above 1.5); with a column ``time`` (ISO 8601) gaps and disorder are found.
    elevation_m
        Height above the sea, for relative humidity (m).

    Returns
    -------
    Weather
        8,760 or 8,784 hours.

    Raises
    ------
    InvalidSpec
        Names the file, and the line of the first value that is missing, no number, out of its range or out of order.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "year.csv")
    ...     _ = file.write_text("dry_bulb_c,wet_bulb_c\n" + "20,15\n" * 8760)
    ...     year = read_weather(file)
    >>> float(year.wet_bulb_c.max())
    15.0
    """
    rows = list(csv.reader(io.StringIO(read_text(path))))
    if not rows:
        raise file_error(path, "is empty", "its first line names the columns")
    names = [name.strip().lower() for name in rows[0]]
    unknown = [name for name in names if name not in _COLUMNS]
    second = [name for name in ("wet_bulb_c", _HUMIDITY) if name in names]
    if unknown or "dry_bulb_c" not in names or len(second) != 1 or len(set(names)) != len(names):
        what = f"has the columns {', '.join(names) or 'none'}"
        raise file_error(path, what, "needs dry_bulb_c and wet_bulb_c or relative_humidity, may have time")
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise file_error(path, f"has {len(row)} values in line {line}, not {len(names)}")
    if "time" in names:
        _check_times(path, [row[names.index("time")] for row in rows[1:]])
    dry = _numbers(path, "dry_bulb_c", [row[names.index("dry_bulb_c")] for row in rows[1:]])
    other = _numbers(path, second[0], [row[names.index(second[0])] for row in rows[1:]])
    if second[0] == _HUMIDITY and other.size and other.max() > 1.5:
        other = other / 100
    convert: Callable[[], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = lambda: (
        _core.weather_of_humidity(dry, other, elevation_m) if second[0] == _HUMIDITY else _core.weather_of(dry, other)
    )
    try:
        return Weather(*convert())
    except InvalidSpec as error:
        raise in_file(path, error) from None


def _numbers(path: str | os.PathLike[str], name: str, texts: list[str]) -> npt.NDArray[np.float64]:
    import numpy as np

    values = np.empty(len(texts))
    for index, text in enumerate(texts):
        try:
            values[index] = float(text)
        except ValueError:
            value = "nothing" if not text.strip() else repr(text)
            raise file_error(path, f"has {value} for {name} in line {index + 2}") from None
        if not math.isfinite(values[index]):
            raise file_error(path, f"has {text.strip()} for {name} in line {index + 2}")
    return values


def _check_times(path: str | os.PathLike[str], texts: list[str]) -> None:
    """Each line must be an hour after the one before."""
    before: datetime.datetime | None = None
    for line, text in enumerate(texts, start=2):
        try:
            now = datetime.datetime.fromisoformat(text.strip())
        except ValueError:
            raise file_error(path, f"has {text!r} for time in line {line}", "ISO 8601: 2023-01-01T00:00") from None
        if before is not None:
            try:
                hours = (now - before).total_seconds() / 3600
            except TypeError:  # one with a time zone, one without
                raise file_error(path, f"has a time zone in some lines only (line {line})") from None
            if hours != 1:
                what = "goes back" if hours < 0 else "repeats an hour" if hours == 0 else f"leaps {hours:g} hours"
                raise file_error(path, f"{what} in line {line}: {before.isoformat()} to {now.isoformat()}")
        before = now
