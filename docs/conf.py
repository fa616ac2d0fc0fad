"""Sphinx configuration: the pages are Markdown, most of them those of the repository itself."""

import sys
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import make_scoreboard

_root = Path(__file__).resolve().parent.parent

project = "Ampacity"
author = "The Ampacity developers"
release = tomllib.loads((_root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_generated"]
nitpicky = False

myst_heading_anchors = 3
# Pages of the repository are included here and link to files beside them.
suppress_warnings = ["myst.xref_missing", "myst.header"]

autodoc_typehints = "description"
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = f"Ampacity {release}"


def setup(app: Any) -> None:
    """Generate what the pages include."""
    app.connect("builder-inited", lambda _: make_scoreboard.make(Path(__file__).parent / "_generated"))
