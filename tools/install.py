"""Build Ampacity from this checkout and install it into a virtual environment, ``.venv`` by default.

With pip and Python's headers at hand this is the same as ``python3 -m venv .venv && .venv/bin/pip install .``;
what a fresh Debian or Ubuntu lacks is fetched without root (see environment.py).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import environment


def main() -> None:
    """Read the command line and install."""
    environment.use_new_python()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extras", nargs="?", default="", help="extras such as all or pandas,plot")
    parser.add_argument("--venv", type=Path, default=environment.ROOT / ".venv")
    options = parser.parse_args()
    environment.install(options.venv.resolve(), options.extras)


if __name__ == "__main__":
    main()
