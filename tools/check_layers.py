"""Check the house (ARCHITECTURE.md): who includes or imports whom, and how long a file may be.

* ``cpp/include/ampacity`` includes the standard library and itself.
* ``cpp/src/<layer>`` includes public headers, its own layer and lower layers, never Python.
* ``python/bindings`` alone includes pybind11, and of the core only the public headers.
* ``python/ampacity`` imports the standard library, numpy and itself when it is imported; the rest only inside functions.
* Hand-written C++ and Python files have at most 500 lines.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Lower layers first; layers of one row do not know each other.
ROWS = [
    ["base"],
    ["spec"],
    ["catalogue"],
    ["workload"],
    ["compute", "network"],
    ["schedule"],
    ["power"],
    ["step"],
    ["campaign"],
    ["estimate", "search"],
    ["caps", "explain", "simulate"],
    ["load"],
]
RANK = {layer: rank for rank, row in enumerate(ROWS) for layer in row}

LONGEST_FILE_LINES = 500
LONG_FILES: set[str] = set()  # paths that may be longer, each with its reason in a comment
GENERATED = {"python/ampacity/_core.pyi"}

ALLOWED_PYTHON = set(sys.stdlib_module_names) | {"numpy", "ampacity"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def sources(folder: str, *suffixes: str) -> Iterator[tuple[str, Path]]:
    """Yield path below the root, and path, of every file of `folder` with one of the suffixes."""
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in suffixes and path.is_file():
            yield path.relative_to(ROOT).as_posix(), path


def includes(path: Path) -> Iterator[tuple[str, str]]:
    """Yield bracket and target of every include of a C++ file."""
    yield from INCLUDE.findall(path.read_text(encoding="utf-8"))


def is_standard(target: str) -> bool:
    """Tell whether an include is a C++ or platform header: it has no folder that is ours or a stranger's."""
    return "/" not in target or target.startswith("sys/")


def check_public_headers() -> Iterator[str]:
    """Public headers know the standard library and each other."""
    for name, path in sources("cpp/include", ".hpp", ".in"):
        for bracket, target in includes(path):
            if not (target.startswith("ampacity/") or (bracket == "<" and is_standard(target))):
                yield f"{name} includes {target}: public headers include the standard library and ampacity/ only"


def check_core() -> Iterator[str]:
    """Layers of the core look down only."""
    for name, path in sources("cpp/src", ".cpp", ".hpp"):
        parts = Path(name).parts[2:]
        layer = parts[0] if len(parts) > 1 else None
        if layer is None:
            yield f"{name} lies in no layer: move it into one of {', '.join(RANK)}"
            continue
        if layer not in RANK:
            yield f"{name}: layer {layer} is not known to tools/check_layers.py"
            continue
        for bracket, target in includes(path):
            if target.startswith("ampacity/") or (bracket == "<" and is_standard(target)):
                continue
            other = target.split("/", maxsplit=1)[0]
            if bracket == "<":
                yield f"{name} includes <{target}>: the core uses the standard library only"
            elif "/" in target and other not in RANK:
                yield f"{name} includes {target}, which is in no layer"
            elif "/" in target and other != layer and RANK[other] >= RANK[layer]:
                yield f"{name} includes {target}: {layer} must not know {other}"
            elif not ((ROOT / "cpp/src" / target).exists() or (path.parent / target).exists()):
                yield f"{name} includes {target}, which does not exist"


def check_bindings() -> Iterator[str]:
    """Bindings see public headers; nobody else sees pybind11 or Python."""
    for name, path in sources("python/bindings", ".cpp", ".hpp"):
        for bracket, target in includes(path):
            beside = bracket == '"' and (path.parent / target).exists()
            standard = bracket == "<" and is_standard(target)
            if not (target.startswith(("ampacity/", "pybind11/")) or beside or standard):
                yield f"{name} includes {target}: bindings include public headers only"
    for folder in ("cpp", "benchmarks"):
        for name, path in sources(folder, ".cpp", ".hpp"):
            for _, target in includes(path):
                if target.startswith("pybind11/") or target == "Python.h":
                    yield f"{name} includes {target}: only python/bindings may"


def imports_at_import_time(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    """Yield line and top-level module of the imports that run when the module is imported."""
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "ampacity" if node.level else str(node.module).split(".", maxsplit=1)[0]
        elif isinstance(node, ast.If):
            typing_only = "TYPE_CHECKING" in ast.dump(node.test)
            yield from imports_at_import_time([] if typing_only else node.body)
            yield from imports_at_import_time(node.orelse)
        elif isinstance(node, ast.Try):
            for block in (node.body, node.orelse, node.finalbody, *(handler.body for handler in node.handlers)):
                yield from imports_at_import_time(block)
        elif isinstance(node, ast.ClassDef | ast.With):
            yield from imports_at_import_time(node.body)


def check_python() -> Iterator[str]:
    """`import ampacity` needs numpy only."""
    for name, path in sources("python/ampacity", ".py"):
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=name)
        for line, module in imports_at_import_time(tree.body):
            if module not in ALLOWED_PYTHON:
                yield f"{name}:{line} imports {module} at import time: do that inside the function that needs it"


def check_lengths() -> Iterator[str]:
    """No long files."""
    for folder in ("cpp", "python", "tests", "benchmarks", "tools", "cmake", "docs"):
        for name, path in sources(folder, ".cpp", ".hpp", ".py", ".pyi"):
            if name in LONG_FILES | GENERATED or "_build" in name:
                continue
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LONGEST_FILE_LINES:
                yield f"{name} has {lines} lines: split it (limit {LONGEST_FILE_LINES})"


def main() -> None:
    """Print every problem and fail if there is one."""
    checks = (check_public_headers, check_core, check_bindings, check_python, check_lengths)
    problems = [problem for check in checks for problem in check()]
    print("\n".join(problems) if problems else "layers: in order")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
