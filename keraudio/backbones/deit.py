"""keras-hub's DeiT: its transformer blocks for any number of tokens, and the weights of its presets."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keraudio.errors import KeraudioError


def deit_backbone() -> Any:
    """`keras_hub.models.DeiTBackbone`.

    Raises:
        KeraudioError: keras-hub is not installed.
    """
    # Inside the function: importing keras-hub takes seconds.
    try:
        from keras_hub.models import DeiTBackbone
    except ImportError as error:
        raise KeraudioError("AST backbones need keras-hub: pip install 'keraudio[hub]'") from error
    return DeiTBackbone


@keras.saving.register_keras_serializable(package="keraudio")
class DeiTBlock(keras.layers.Layer):
    """One block of `keras_hub.models.DeiTBackbone`: normalization, self-attention, normalization, two dense layers.

    Softmax and normalization are computed in float32 whatever the dtype policy.

    Args:
        heads: int > 0, of the attention; they divide the tokens' width.
        hidden: int > 0, units of the first dense layer.
        dropout: rate behind the second dense layer. Defaults to 0.
        epsilon: float > 0, of the normalizations. Defaults to 1e-6.
        recompute: bool, in training nothing within the block is kept for the gradient but computed again (gradient
            checkpointing: Chen et al., "Training deep nets with sublinear memory cost", 2016). Defaults to False.

    Input shape:
        `(batch, tokens, width)`.

    Output shape:
        As the input.

    Example:
        >>> import numpy as np
        >>> DeiTBlock(3, 768)(np.zeros((2, 10, 192), "float32")).shape
        (2, 10, 192)
    """

    def __init__(
        self,
        heads: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        epsilon: float = 1e-6,
        recompute: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.heads = heads
        self.hidden = hidden
        self.dropout = dropout
        self.epsilon = epsilon
        self.recompute = recompute

    def build(self, input_shape):
        # A block is no public class of keras-hub, and its own config does not rebuild it; a backbone is one.
        backbone = deit_backbone()(
            image_shape=(1, 1, 1),
            patch_size=1,
            num_layers=1,
            num_heads=self.heads,
            hidden_dim=input_shape[-1],
            intermediate_dim=self.hidden,
            dropout_rate=self.dropout,
            layer_norm_epsilon=self.epsilon,
            dtype=self.dtype_policy,
        )
        self.block = encoder_blocks(backbone)[0]

    def call(self, inputs, training=False):
        if not (self.recompute and training):
            return self.block(inputs, training=training)[0]
        trained, kept = self.block.trainable_variables, self.block.non_trainable_variables
        variables = [*trained, *kept]

        # Without side effects: on JAX what is assigned in there would be lost, dropout's random state among it.
        def call(x, *values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
                # Said here, as the second time is not within this layer's own call.
                outputs = self.block(x, training=True)[0]
                return outputs, *[scope.get_current_value(variable) for variable in kept]

        # Cast, as TensorFlow would follow both a variable and its value; copied, as torch assigns in place.
        values = [ops.cast(variable, variable.dtype) for variable in trained]
        outputs, *after = keras.remat(call)(inputs, *values, *[ops.copy(variable.value) for variable in kept])
        for variable, value in zip(kept, after, strict=True):
            variable.assign(value)
        return outputs

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        names = ("heads", "hidden", "dropout", "epsilon", "recompute")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def encoder_blocks(backbone: keras.Model) -> list[keras.layers.Layer]:
    """The blocks of a `DeiTBackbone`, in their order."""
    return list(backbone.get_layer("deit_encoder").encoder_layers)


def resampled_positions(grid: np.ndarray, frames: int, bins: int) -> np.ndarray:
    """Positions of another grid, as AST's code has them: cut from the middle where they suffice, else interpolated.

    Args:
        grid: `(frequency, time, width)`: an image's rows become bins, its columns frames.
        frames: wanted over time.
        bins: wanted over frequency.

    Returns:
        `(frames, bins, width)`.
    """
    return _resampled(_resampled(np.swapaxes(grid, 0, 1), frames), bins, axis=1)


def _resampled(grid: np.ndarray, size: int, axis: int = 0) -> np.ndarray:
    grid = np.moveaxis(grid, axis, 0)
    length = len(grid)
    if size <= length:
        first = length // 2 - size // 2
        grid = grid[first : first + size]
    else:
        # Pixels are areas, as in PyTorch's `interpolate(mode="bilinear", align_corners=False)`.
        places = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = np.minimum(places.astype(int), length - 2)
        share = (places - low).reshape(-1, *[1] * (grid.ndim - 1))
        grid = (1 - share) * grid[low] + share * grid[low + 1]
    return np.moveaxis(grid, 0, axis)
