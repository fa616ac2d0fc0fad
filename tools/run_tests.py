"""Install Ampacity with all that its tests need and run every test: C++ units, C++ consumer projects, Python.

Works on a machine with Python >= 3.11 and a C++ compiler. Arguments that it does not know go to pytest.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import environment
from environment import ROOT, run


def run_cpp_tests(python: Path, env: dict[str, str]) -> None:
    """Configure, build and run the C++ tests (preset no-python)."""
    prefixes = [Path("/usr"), Path("/usr/local"), Path("/opt/homebrew")]
    if os.name != "nt" and not any((prefix / "include/doctest/doctest.h").exists() for prefix in prefixes):
        usr = environment.unpack_debian("doctest-dev")
        env = {**env, "CMAKE_PREFIX_PATH": os.pathsep.join(filter(None, [str(usr), env.get("CMAKE_PREFIX_PATH", "")]))}
    jobs = env["CMAKE_BUILD_PARALLEL_LEVEL"]
    run("cmake", "--preset", "no-python", f"-DPython_EXECUTABLE={python}", env=env)
    run("cmake", "--build", "--preset", "no-python", env=env)
    run("ctest", "--preset", "no-python", "--parallel", jobs, env=env)


def main() -> None:
    """Read the command line, install, and run the tests."""
    environment.use_new_python()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--no-cpp", action="store_true", help="skip the C++ tests")
    parser.add_argument("--no-python", action="store_true", help="skip the Python tests")
    options, pytest_arguments = parser.parse_known_args()

    venv = options.venv.resolve()
    env = environment.install(venv, "test")
    python = environment.create_venv(venv)
    os.environ["PATH"] = env["PATH"]  # where subprocess looks for cmake, ninja and ctest
    if not options.no_cpp:
        run_cpp_tests(python, env)
    if not options.no_python:
        run(
            python,
            "-m",
            "pytest",
            "--benchmark-disable",
            "-n",
            env["CMAKE_BUILD_PARALLEL_LEVEL"],
            *pytest_arguments,
            env=env,
        )
    print("\nAll tests passed.")


if __name__ == "__main__":
    main()
