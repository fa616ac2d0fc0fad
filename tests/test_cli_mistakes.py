"""What the command line says of options that it cannot read, that do not exist, or that would do nothing."""

from __future__ import annotations

import shlex

import pytest

from ampacity._cli_words import EXAMPLES
from ampacity.cli import main

POWER = "power llama-3.1-8b --on dgx-h100-x1"
NETWORK = "network deepseek-h800-2k"
SIMULATE = "simulate llama-3.1-8b --on dgx-h100-x1"


def refused(capsys, words):
    """Return the lines on stderr of a command that must end with 2 and print nothing."""
    with pytest.raises(SystemExit) as caught:
        main(shlex.split(words))
    assert caught.value.code == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert "internal error" not in error
    assert "usage:" not in error
    return error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "required: COMMAND (see ampacity --help)"),
        ("estimate llama-3.1-8b", "required: --on (see ampacity estimate --help)"),
        ("estimate llama-3.1-8b --on dgx-h100-x1 --tpp 8", "does not know --tpp (did you mean --pp or --tp?), 8"),
        ("list clusters eos-10752 more", "does not know more (see ampacity list --help)"),
        (f"{NETWORK} --seed -1", "--seed: must be a whole number, at least 0, not '-1'"),
        (f"{NETWORK} --seed 99999999999999999999", "must be a whole number, at least 0"),
        (f"{NETWORK} --fail-links 1% --threads -5", "--threads: must be a whole number"),
        (f"{POWER} --seed 1.5", "must be a whole number, at least 0, not '1.5'"),
        (f"{POWER} --duration 1e308", "duration_s = 1e+308: must be fewer than 2**53 rows"),
        (f"{POWER} --best-cap --layouts 99999999999", "layouts = 99999999999: must be between 1 and 10,000"),
        (f"{POWER} --plot /no/such/folder/x.png", "x.png: cannot be written: there is no such folder"),
        ("collective all_reduce --on eos-10752 --size 1GiB --skew 2", "collective.skew = 2: is for all_to_all only"),
        ("calibrate", "data: must name measurements; a FILE.csv, or --measured NAME"),
        (f"{SIMULATE} --cap-w 100", "cap_w = 100: must be between 161.4 and 700"),
        (f"{SIMULATE} --variability missing.csv", "cannot read missing.csv: No such file"),
        ("simulate llama-3.1-8b --on deepseek-h800-2k --fail-links 100%", "cut accelerators off"),
    ],
)
def test_one_line_says_what_is_wrong(capsys, words, said):
    error = refused(capsys, words)
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "idle"),
    [
        (f"{NETWORK} --plot x.png --tier leaf --threads 2", ["--plot: needs --fail-links", "--tier", "--threads"]),
        (f"{POWER} --site-mw 3 --seek", ["--site-mw: needs --best-cap", "--seek: needs --contract"]),
        (f"{POWER} --best-cap --out x.csv", ["--out: has no effect beside --best-cap"]),
        ("collective all_reduce --on eos-10752 --size 1GiB --routing ecmp", ["--routing: needs --flows"]),
        (f"{SIMULATE} --no-pictures", ["--no-pictures: needs --out"]),
    ],
)
def test_options_that_would_do_nothing_are_refused(capsys, words, idle):
    error = refused(capsys, words)
    for text in idle:
        assert text in error


def test_whole_numbers_may_be_typed_with_an_exponent(capsys):
    assert main(shlex.split(f"{NETWORK} --seed 1e5 --json")) == 0
    assert capsys.readouterr().err == ""


def test_all_fastest_layouts_run_with_one_batch(capsys):
    """Interleaved layouts want their batch in rounds of the pipeline: those that the batch does not fit are left out."""
    assert main(shlex.split(f"{POWER} --best-cap --layouts 500")) == 0
    assert "best of" in capsys.readouterr().out


@pytest.mark.parametrize("words", [words for command in EXAMPLES.values() for words in command if "my-" not in words])
def test_examples_of_the_help_run(capsys, tmp_path, monkeypatch, words):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(words)
    assert program == "ampacity"
    assert main(arguments) == 0
    out, error = capsys.readouterr()
    assert len(out) > 100
    assert error == ""


@pytest.mark.parametrize("command", EXAMPLES)
def test_help_ends_with_examples(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.endswith("examples:\n" + "".join(f"  {words}\n" for words in EXAMPLES[command]))
