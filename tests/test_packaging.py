"""The package as it is installed: one version, a light import, a lean wheel."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import ampacity
from ampacity import _core

HEAVY = ["numpy", "matplotlib", "pandas", "polars", "pyarrow", "scipy", "IPython", "pytest", "asyncio", "unittest"]


def test_one_version():
    assert ampacity.__version__ == _core.__version__ == importlib.metadata.version("ampacity")


def test_version_is_that_of_the_checkout():
    pyproject = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if not pyproject.exists():
        pytest.skip("not in a checkout")
    assert tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"] == ampacity.__version__


def test_console_script():
    command = [sys.executable, "-m", "ampacity.cli", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert ampacity.__version__ in printed
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="ampacity")
    assert script.value == "ampacity.cli:main"


def test_import_is_light():
    code = "import json, sys, ampacity; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert not set(HEAVY) & set(json.loads(printed))


@pytest.mark.slow
def test_import_adds_little_to_numpy():
    code = "import numpy, time; t = time.perf_counter(); import ampacity; print(time.perf_counter() - t)"
    run = [sys.executable, "-c", code]
    seconds = [float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(5)]
    assert min(seconds) < 0.1


def test_package_is_typed():
    package = importlib.resources.files("ampacity")
    assert package.joinpath("py.typed").is_file()
    assert package.joinpath("_core.pyi").is_file()


def test_only_numpy_is_required():
    required = importlib.metadata.requires("ampacity") or []
    plain = [re.split(r"[^\w.-]", line)[0] for line in required if "extra ==" not in line]
    assert plain == ["numpy"]


def test_wheel_content():
    wheel = os.environ.get("AMPACITY_WHEEL")
    if not wheel:
        pytest.skip("AMPACITY_WHEEL is not set")
    assert Path(wheel).stat().st_size < 5_000_000
    names = zipfile.ZipFile(wheel).namelist()
    strange = [n for n in names if not n.startswith(("ampacity/", f"ampacity-{ampacity.__version__}.dist-info/"))]
    assert strange == []
    assert not [n for n in names if n.endswith((".hpp", ".cpp", ".a", ".lib", ".cmake", ".pyc", ".in"))]
    assert [n for n in names if n.startswith("ampacity/data/") and n.endswith(".toml")]
    assert [n for n in names if n.startswith("ampacity/data/scoreboard/") and n.endswith(".csv")]
    assert [n for n in names if n.endswith("dist-info/licenses/LICENSE")]
    assert len([n for n in names if n.startswith("ampacity/_core.") and n.endswith((".so", ".pyd"))]) == 1
