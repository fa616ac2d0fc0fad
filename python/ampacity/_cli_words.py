"""How the command line answers what it cannot read: one line for each mistake, the nearest option, examples in the help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from ampacity._core import InvalidSpec, Problem, nearest_names

EXAMPLES = {
    "estimate": (
        "ampacity estimate llama-3.1-405b --on meta-llama3-16k",
        "ampacity estimate llama-3.1-70b --on eos-10752 --gpus 1024 --tp 4 --precision fp8 --json",
        "ampacity estimate deepseek-v3 --on deepseek-h800-2k --explain",
    ),
    "simulate": (
        "ampacity simulate llama-3.1-8b --on dgx-h100-x1 --seed 7",
        "ampacity simulate llama-3.1-405b --on meta-llama3-16k --tp 8 --pp 16 --fail-links 1%",
        "ampacity simulate llama-3.1-8b --on deepseek-h800-2k --cap-w 500 --steps 3 --out step --columns csv",
    ),
    "power": (
        "ampacity power llama-3.1-8b --on deepseek-h800-2k --plot load.png",
        "ampacity power llama-3.1-8b --on deepseek-h800-2k --mitigate floor:0.8 --duration 600",
        "ampacity power llama-3.1-70b --on meta-llama3-16k --best-cap --site-mw 15",
    ),
    "list": ("ampacity list", "ampacity list clusters", "ampacity list accelerators h100-sxm"),
    "network": (
        "ampacity network deepseek-h800-2k",
        "ampacity network deepseek-h800-2k --fail-links 1% --model llama-3.1-8b --plot failed.png",
    ),
    "site": ("ampacity site prometheus --hours", "ampacity site dgx-h100-x1 --climate austin --cap 500 --load 80%"),
    "collective": (
        "ampacity collective all_reduce --on meta-24k-roce --gpus 1024 --size 1MiB 1GiB",
        "ampacity collective all_to_all --on gb200-nvl72-x1 --size 64MiB --skew 1.5",
        "ampacity collective all_gather --on eos-10752 --gpus 512 --size 1GiB --flows --routing ecmp",
    ),
    "validate": ("ampacity validate --kind memory", "ampacity validate --kind power --plot power.png"),
    "calibrate": ("ampacity calibrate my-kernels.csv --accelerator h100-sxm --out mine.toml",),
}

# Options that only say more about another one, by command; and which of them mean something else where it is given.
_NEEDS: dict[str, dict[str, tuple[str, ...]]] = {
    "simulate": {"out": ("columns", "no_pictures")},
    "network": {"fail_links": ("tier", "model", "plot", "threads")},
    "collective": {"flows": ("routing", "queue_pairs")},
    "power": {
        "best_cap": ("site_mw", "objective", "provision", "precisions", "layouts"),
        "contract": ("seek",),
    },
}
_EXCLUDES: dict[str, dict[str, tuple[str, ...]]] = {
    "power": {
        "best_cap": (
            "duration",
            "seed",
            "variability",
            "contract",
            "seek",
            "mitigate",
            "profile",
            "breakers",
            "oversubscribe",
            "jobs",
            "plot",
            "out",
            "tariff",
            "energy_usd_per_kwh",
            "demand_usd_per_kw_month",
        )
    }
}


class HelpText(argparse.HelpFormatter):
    """Wraps descriptions, and leaves examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if not text.startswith("examples:"):
            return super()._fill_text(text, width, indent)
        return "".join(indent + line for line in text.splitlines(keepends=True))


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, instead of the whole usage before it."""

    commands: argparse._SubParsersAction[Parser] | None = None

    def error(self, message: str) -> NoReturn:
        """Print the mistake, and where help is; exit with 2."""
        sys.stderr.write(f"ampacity: error: {message} (see {self.prog} --help)\n")
        sys.exit(2)

    def read(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Return what was asked; options that do not exist are named with the nearest, those that do nothing refused."""
        options, unknown = self.parse_known_args(arguments)
        command = self.commands.choices[options.command] if self.commands is not None else self
        if unknown:
            known = [name for action in command._actions for name in action.option_strings]
            words = []
            for word in unknown:
                near = nearest_names(word.partition("=")[0], known) if word.startswith("--") else []
                words.append(word + (f" (did you mean {' or '.join(near[:2])}?)" if near else ""))
            command.error(f"does not know {', '.join(words)}")
        problems = _idle(command, options)
        if problems:
            raise InvalidSpec(problems)
        return options

    def add_examples(self) -> None:
        """Add examples to the help of every command, and where they are to the help of all."""
        self.epilog = "`ampacity COMMAND --help` has the options of a command, and examples."
        for name, command in (self.commands.choices if self.commands is not None else {}).items():
            command.epilog = "\n  ".join(("examples:", *EXAMPLES.get(name, ())))
            command.formatter_class = HelpText


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _idle(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[Problem]:
    """Return problems of options that would do nothing beside the others."""
    given = {name for name, value in vars(options).items() if value != parser.get_default(name)}
    problems = []
    for other, names in _NEEDS.get(options.command, {}).items():
        if other not in given:
            rule = f"needs {_flag(other)}"
            problems += [Problem(path=_flag(name), rule=rule) for name in names if name in given]
    for other, names in _EXCLUDES.get(options.command, {}).items():
        if other in given:
            rule = f"has no effect beside {_flag(other)}"
            problems += [Problem(path=_flag(name), rule=rule) for name in names if name in given]
    return problems
