import keras
import numpy as np
import pytest
from layer_checks import array

from keraudio.layers import RescaledUniform


@pytest.mark.parametrize("shape", [(3, 3, 48, 96), (1, 8, 4, 64), (400, 300)])
def test_kernels_are_pytorchs_divided_by_the_root_of_their_deviation_over_a_tenth(shape) -> None:
    import torch

    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    *size, inputs, outputs = shape
    # PyTorch draws a convolution's and a dense layer's kernel by the same rule.
    theirs = torch.nn.Linear(inputs * int(np.prod(size)), outputs).weight.detach().numpy()
    expected = theirs / np.sqrt(theirs.std() / 0.1)
    ours = array(RescaledUniform()(shape))
    assert ours.shape == shape
    assert ours.std() == pytest.approx(expected.std(), rel=0.02)
    assert np.abs(ours).max() == pytest.approx(np.abs(expected).max(), rel=0.02)


def test_it_is_rebuilt_from_its_config() -> None:
    config = keras.initializers.serialize(RescaledUniform(0.2))
    assert keras.initializers.deserialize(config).reference == 0.2
