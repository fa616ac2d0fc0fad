"""Reading the user's TOML files; what they mean is decided by the C++ core."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ampacity._core import Catalogue, InvalidSpec, Problem

# No document of ours comes near; a larger file was named by mistake (a disk image, a device).
_LARGEST_BYTES = 10_000_000

# Folders whose files need not say their kind, as in the built-in catalogue.
_FOLDER_KINDS = {
    "accelerators": "accelerator",
    "architectures": "architecture",
    "climates": "climate",
    "clusters": "cluster",
    "fabrics": "fabric",
    "grids": "grid",
    "line_systems": "line_system",
    "models": "model",
    "nics": "nic",
    "nodes": "node",
    "optics": "optic",
    "plants": "plant",
    "power_profiles": "power_profile",
    "reliability": "reliability",
    "sites": "site",
    "software": "software",
    "supplies": "supply",
    "switches": "switch",
}
KINDS = tuple(_FOLDER_KINDS.values())


def file_error(path: str | os.PathLike[str], rule: str, hint: str = "") -> InvalidSpec:
    """Return the error that names a file that cannot be used."""
    return InvalidSpec([Problem(path=_printable(path), rule=rule, hint=hint)])


def _printable(path: str | os.PathLike[str]) -> str:
    """Return a path as it can be printed: bytes that are no text are replaced, an empty one is quoted."""
    return os.fspath(path).encode(errors="replace").decode() or '""'


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a UTF-8 file; every way that this can fail is one ``InvalidSpec``."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise file_error(path, "there is no such file") from None
    except IsADirectoryError:
        raise file_error(path, "is a directory, not a file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise file_error(path, f"cannot be read: {reason}") from None
    if len(data) > _LARGEST_BYTES:
        raise file_error(path, f"is larger than {_LARGEST_BYTES // 10**6} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise file_error(path, f"is not a UTF-8 text file (line {line})") from None


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises
    ------
    InvalidSpec
        Names the file and, for broken TOML, the line and column.
    """
    import tomllib

    text = read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        last_line = text.rstrip("\n").count("\n") + 1
        reason = str(error).replace("at end of document", f"at line {last_line}, where the file ends")
        raise file_error(path, f"is not valid TOML: {reason}") from None
    except RecursionError:
        raise file_error(path, "is nested too deeply") from None


def read_table(path: str | os.PathLike[str], heading: str, holds: str) -> dict[str, Any]:
    """Return a TOML file of one table, with or without its heading; `holds` says in an error what it is of."""
    document = read_toml(path)
    inner = document.get(heading, document)
    if not isinstance(inner, dict):
        raise file_error(path, f"must hold a table of {holds}")
    return inner


def in_file(path: str | os.PathLike[str], error: InvalidSpec) -> InvalidSpec:
    """Return the same error with the file before the path of every problem."""
    return InvalidSpec([_prefixed(path, problem) for problem in error.problems])


def _prefixed(path: str | os.PathLike[str], problem: Problem) -> Problem:
    where = f"{_printable(path)}: {problem.path}"
    return Problem(path=where, value=problem.value, rule=problem.rule, hint=problem.hint)


def looks_like_path(name: str | os.PathLike[str]) -> bool:
    """Whether the user means a file rather than a catalogue name."""
    return not isinstance(name, str) or name.endswith(".toml") or "/" in name or os.sep in name


def _documents(path: Path) -> list[dict[str, Any]]:
    """Return the documents of one file: itself, or the entries of its ``[[kind]]`` lists."""
    content = read_toml(path)
    if "kind" not in content and path.parent.name in _FOLDER_KINDS:
        return [{"kind": _FOLDER_KINDS[path.parent.name], **content}]
    listed = {key: value for key, value in content.items() if key in KINDS and isinstance(value, list)}
    if "kind" in content or len(listed) != len(content):
        return [content]
    return [
        {"kind": kind, **entry} if isinstance(entry, dict) else {"kind": kind, "entry": entry}
        for kind, entries in listed.items()
        for entry in entries
    ]


def _all_files(paths: Iterable[str | os.PathLike[str]], problems: list[Problem]) -> Iterator[Path]:
    """Yield the files themselves, and the TOML files of directories; a directory without any is a problem."""
    for path in map(Path, paths):
        try:
            folder = path.is_dir()
        except (OSError, ValueError) as error:  # a name that no file may have
            problems += file_error(path, f"cannot be read: {getattr(error, 'strerror', None) or error}").problems
            continue
        if not folder:
            yield path
            continue
        found = sorted(path.rglob("*.toml"))
        if not found:
            problems += file_error(path, "is a directory without TOML files").problems
        yield from found


def load_catalogue(*paths: str | os.PathLike[str], base: Catalogue | None = None) -> Catalogue:
    r"""Return a catalogue that also has the user's own documents.

    Parameters
    ----------
    *paths
        TOML files, or directories that are searched for them. A file is one document with ``kind`` and ``name``, or
        holds several as ``[[model]]``, ``[[cluster]]``, ... tables. Documents may refer to each other, and replace
        built-in ones of the same kind and name.
    base
        The catalogue to extend (default: the built-in one).

    Returns
    -------
    Catalogue
        A new catalogue; pass it as ``catalogue=`` to `model`, `cluster` and the other look-ups.

    Raises
    ------
    InvalidSpec
        Names every file that cannot be read (with the line where its TOML breaks) or every problem of the documents.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "my-grid.toml")
    ...     _ = file.write_text('kind = "grid"\nname = "my-grid"\ncarbon_kg_per_mwh = 20')
    ...     catalogue = load_catalogue(file)
    >>> catalogue.grid("my-grid").carbon_kg_per_mwh
    20.0
    """
    documents: list[dict[str, Any]] = []
    origin: dict[str, Path] = {}
    problems: list[Problem] = []
    for file in _all_files(paths, problems):
        try:
            found = _documents(file)
        except InvalidSpec as error:
            problems += error.problems
            continue
        documents += found
        origin |= {f"{document.get('kind')}.{document.get('name')}": file for document in found}
    if problems:
        raise InvalidSpec(problems)
    base = Catalogue.builtin() if base is None else base
    try:
        return base.with_documents(documents)
    except InvalidSpec as error:
        only = next(iter(origin.values())) if len(set(origin.values())) == 1 else None
        raise InvalidSpec([_located(problem, origin, only) for problem in error.problems]) from None


def _located(problem: Problem, origin: dict[str, Path], only: Path | None) -> Problem:
    file = next((path for key, path in origin.items() if problem.path.startswith(key)), only)
    return problem if file is None else _prefixed(file, problem)
