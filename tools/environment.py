"""What the developer scripts share: a virtual environment and, on Debian and Ubuntu, the parts that it lacks.

A fresh Debian with Python and a C++ compiler has neither pip nor Python's headers nor doctest. Where they are missing,
the Debian packages are downloaded and unpacked below ``.deps``: nothing is installed, and no root is needed.

This file must at least start on any Python 3, so that it can look for a newer one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEPS = ROOT / ".deps"
OLDEST_PYTHON = (3, 11)


def run(*command: object, env: dict[str, str] | None = None, cwd: Path = ROOT) -> None:
    """Run a command, show it, and end this program if it fails."""
    words = [str(word) for word in command]
    print("+", " ".join(words), flush=True)
    status = subprocess.run(words, cwd=cwd, env=env, check=False).returncode
    if status:
        sys.exit(f"error: this command failed with status {status}: {' '.join(words)}")


def use_new_python() -> None:
    """Start again on Python 3.11 or newer when this one is older."""
    if sys.version_info >= OLDEST_PYTHON:
        return
    for minor in range(20, OLDEST_PYTHON[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        # A version manager may offer a name that does not run.
        if newer and subprocess.run([newer, "-c", ""], check=False, capture_output=True).returncode == 0:
            os.execv(newer, [newer, *sys.argv])
    sys.exit(f"error: Ampacity needs Python 3.11 or newer; this is {sys.version.split()[0]}")


def unpack_debian(package: str) -> Path:
    """Unpack a Debian package below ``.deps`` and return the ``usr`` folder there."""
    usr, marker = DEPS / "usr", DEPS / f"{package}.unpacked"
    if marker.exists():
        return usr
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        sys.exit(f"error: install what Debian calls {package} with your system's package manager, then try again")
    print(f"{package} is not installed: unpacking it below {DEPS}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        private = Path(folder, "apt")
        for part in ("lists/partial", "cache/archives/partial"):
            (private / part).mkdir(parents=True)
        # First with the package lists that the system has, then with fresh private ones.
        options: list[str] = []
        for fresh in (False, True):
            if fresh:
                options = ["-o", f"Dir::State::lists={private}/lists", "-o", f"Dir::Cache={private}/cache"]
                options += ["-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1"]
                run("apt-get", "-q", *options, "update")
            command = ["apt-get", "-q", *options, "-o", "APT::Sandbox::User=", "download", package]
            if subprocess.run(command, cwd=folder, check=False, capture_output=not fresh).returncode == 0:
                break
        else:
            sys.exit(f"error: apt-get could not download {package}")
        DEPS.mkdir(exist_ok=True)
        for archive in Path(folder).glob("*.deb"):
            run("dpkg-deb", "-x", archive, DEPS)
    marker.touch()
    return usr


def scripts(venv: Path) -> Path:
    """Folder of the programs of a virtual environment."""
    return venv / ("Scripts" if os.name == "nt" else "bin")


def create_venv(venv: Path) -> Path:
    """Create a virtual environment with pip unless it is there; return its Python."""
    python = scripts(venv) / ("python.exe" if os.name == "nt" else "python")
    if (venv / "ready").exists():
        return python
    try:
        import ensurepip  # noqa: F401, PLC0415 (Debian leaves it out of python3)
    except ImportError:
        wheels = unpack_debian("python3-pip-whl") / "share" / "python-wheels"
        wheel = next(wheels.glob("pip-*.whl"))
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", venv)
        run(python, wheel / "pip", "install", "-q", "--no-index", wheel)
    else:
        run(sys.executable, "-m", "venv", "--clear", venv)
    (venv / "ready").touch()
    return python


def build_environment(venv: Path) -> dict[str, str]:
    """Environment variables with which the C++ parts build: the venv's programs first, Python's headers found."""
    env = dict(os.environ)
    env["PATH"] = os.pathsep.join([str(scripts(venv)), env.get("PATH", "")])
    env.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 2))
    include = Path(sysconfig.get_path("include"))
    if os.name != "nt" and not (include / "Python.h").exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        usr = unpack_debian(f"libpython{version}-dev")
        # Debian's pyconfig.h includes another one relative to usr/include.
        env["CPLUS_INCLUDE_PATH"] = os.pathsep.join(
            filter(None, [str(usr / "include"), env.get("CPLUS_INCLUDE_PATH", "")])
        )
        header_hint = f"-DPython_INCLUDE_DIR={usr / 'include' / f'python{version}'}"
        env["CMAKE_ARGS"] = " ".join(filter(None, [env.get("CMAKE_ARGS", ""), header_hint]))
    return env


def install(venv: Path, extras: str = "") -> dict[str, str]:
    """Build this checkout and install it with `extras` into `venv`; return the environment that did it."""
    python = create_venv(venv)
    env = build_environment(venv)
    run(python, "-m", "pip", "install", f".[{extras}]" if extras else ".", env=env)
    return env
