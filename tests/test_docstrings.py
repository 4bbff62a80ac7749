"""Examples in docstrings run and give what they show."""

from tones import run_python

CODE = """
import doctest, importlib, pkgutil, sys
import keraudio
import keraudio.layers, keraudio.frontends, keraudio.backbones

names = ["keraudio.classifier", "keraudio.nearest"]
for package in (keraudio.layers, keraudio.frontends, keraudio.backbones):
    names += [module.name for module in pkgutil.iter_modules(package.__path__, package.__name__ + ".")]
results = {name: doctest.testmod(importlib.import_module(name)) for name in names}
print("examples", sum(result.attempted for result in results.values()))
sys.exit(sum(result.failed for result in results.values()))
"""


def test_examples_of_layers_front_ends_backbones_and_classifier_run() -> None:
    # A process of its own: shapes print as plain tuples on JAX.
    done = run_python(CODE, backend="jax")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-1]) > 20
