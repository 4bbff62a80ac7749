"""Examples in docstrings run and give what they show."""

import doctest
import importlib
import pkgutil
import re

import pytest

import keraudio.backbones
import keraudio.frontends
import keraudio.layers

PACKAGES = (keraudio.layers, keraudio.frontends, keraudio.backbones)
MODULES = ["keraudio.classifier", "keraudio.nearest"] + [
    module.name for package in PACKAGES for module in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
]


class ShapesAsTuples(doctest.OutputChecker):
    """Takes PyTorch's `torch.Size([2, 3])` for the `(2, 3)` that the other backends print."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        shown = re.sub(r"torch\.Size\(\[(\d+)\]\)", r"(\1,)", got)
        return super().check_output(want, re.sub(r"torch\.Size\(\[(.*?)\]\)", r"(\1)", shown), optionflags)


def examples_of(name: str) -> list[doctest.DocTest]:
    return doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name), name)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_layers_front_ends_backbones_and_classifier_run(name: str) -> None:
    failures: list[str] = []
    runner = doctest.DocTestRunner(ShapesAsTuples(), verbose=False)
    for example in examples_of(name):
        runner.run(example, out=failures.append)
    assert not runner.failures, "".join(failures)


def test_examples_are_found() -> None:
    found = {name: sum(len(example.examples) for example in examples_of(name)) for name in MODULES}
    assert found["keraudio.classifier"] and found["keraudio.nearest"]
    assert sum(map(bool, found.values())) > 20


def test_every_public_function_and_layer_has_an_example() -> None:
    without = [
        f"{package.__name__}.{name}"
        for package in PACKAGES
        for name in package.__all__
        if callable(getattr(package, name)) and ">>>" not in (getattr(package, name).__doc__ or "")
    ]
    assert without == []
