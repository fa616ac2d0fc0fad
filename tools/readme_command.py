"""Print a command of the README, so that CI runs exactly what users read.

The README marks them: a line ``<!-- command: NAME -->`` and, after it, a fenced block with the command.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def command(name: str, text: str) -> str:
    """Return the fenced block that follows the marker `name`."""
    found = re.search(rf"<!-- command: {re.escape(name)} -->\s*```\w*\n(.*?)\n```", text, re.DOTALL)
    if not found:
        sys.exit(f"error: README.md has no fenced block after '<!-- command: {name} -->'")
    return found[1]


if __name__ == "__main__":
    readme = Path(__file__).resolve().parent.parent / "README.md"
    print(command(sys.argv[1], readme.read_text(encoding="utf-8")))
