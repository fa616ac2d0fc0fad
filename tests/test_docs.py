"""Pages of the documentation print what the command line prints now."""

from __future__ import annotations

import math
import pathlib
import re
import shlex

import pytest

from ampacity.cli import main

DOCS = pathlib.Path(__file__).parents[1] / "docs"
NUMBER = re.compile(r"\d[\d,]*\.?\d*")
# Recalibrations move predictions by a little; pages are renewed when they are off by more.
TOLERANCE = 0.05


def blocks():
    """Return each ``$ ampacity`` of a page with the lines printed below it."""
    for page in sorted(DOCS.glob("*.md")):
        for block in re.findall(
            r"^```\n\$ (ampacity [^\n]+)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            yield pytest.param(*block, id=f"{page.stem}: {block[0][:50]}")


def words(line):
    return NUMBER.sub("#", line.replace("█", "")).split()


def numbers(line):
    return [float(text.replace(",", "")) for text in NUMBER.findall(line)]


@pytest.mark.parametrize(("command", "printed"), list(blocks()))
def test_pages_print_what_commands_print(capsys, monkeypatch, tmp_path, command, printed):
    if "--plot" in command:
        pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    contract = re.search(
        r"^```toml\n(\[contract\].+?)^```", (DOCS / "power.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert contract
    (tmp_path / "utility.toml").write_text(contract[1], encoding="utf-8")
    assert main(shlex.split(command)[1:]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    for shown, now in zip([line for line in printed.splitlines() if line], lines, strict=False):
        if shown == "...":
            break
        if shown.startswith("critical"):  # which device is slowest changes with the last digit
            continue
        assert words(shown) == words(now)
        for old, new in zip(numbers(shown), numbers(now), strict=True):
            # Shares of a per cent and extremes of single devices are noisier than sums.
            assert math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=0.02), (shown, now)
