"""`torch.compile` takes our layers: one that learns stands for all, because tracing takes most of ten seconds."""

from tones import run_python

# Captured and differentiated ahead of time as always, but run without generating C++: half a minute, and a compiler.
CODE = """
import numpy as np, torch
from keraudio.layers import AdaptiveSTFT

x = torch.tensor(np.random.default_rng(0).uniform(-1, 1, (2, 200)).astype("float32"))
layer = AdaptiveSTFT(16, 8)
plain = layer(x)
weights = [weight.value for weight in layer.trainable_weights]
expected = torch.autograd.grad(plain.square().sum(), weights)

compiled = torch.compile(layer, backend="aot_eager")(x)
slopes = torch.autograd.grad(compiled.square().sum(), weights)
assert len(weights) == 3
for actual, wanted in zip([compiled, *slopes], [plain, *expected]):
    torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-5)
print("equal")
"""


def test_a_compiled_layer_gives_what_it_gives_uncompiled_and_the_same_gradients() -> None:
    done = run_python(CODE, backend="torch")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "equal"
