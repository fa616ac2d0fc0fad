"""Examples in the documentation run as they stand there, those of compiled classes included."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import ampacity
from ampacity import _core

MODULES = ["ampacity"] + [
    module.name
    for module in pkgutil.walk_packages(ampacity.__path__, "ampacity.")
    if module.name not in ("ampacity.__main__", "ampacity._core")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_modules(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


@pytest.mark.parametrize("name", [name for name, _ in inspect.getmembers(_core, inspect.isclass)])
def test_examples_of_compiled_classes(name):
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner()
    for test in finder.find(getattr(_core, name), name, globs={}):
        runner.run(test)
    assert runner.failures == 0


def test_the_calls_have_examples():
    for call in (ampacity.estimate, ampacity.search, ampacity.validate, ampacity.model, ampacity.load_catalogue):
        assert ">>>" in call.__doc__
        for section in ("Parameters", "Returns", "Raises"):
            assert section in call.__doc__
