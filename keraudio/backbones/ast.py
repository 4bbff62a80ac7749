"""AST, the transformer over patches of a spectrogram, on keras-hub's DeiT."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from keraudio.backbones.deit import DeiTBlock, deit_backbone, encoder_blocks, resampled_positions
from keraudio.layers import PatchTokens, RunningNormalization

# Width, depth and heads (Touvron et al., "Training data-efficient image transformers", 2021, table 1).
SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12)}


def ast(
    input_shape: Sequence[int | None],
    *,
    size: str = "tiny",
    width: int | None = None,
    depth: int | None = None,
    heads: int | None = None,
    hidden: int | None = None,
    patch: int = 16,
    stride: int | Sequence[int] = 16,
    dropout: float = 0.0,
    epsilon: float = 1e-6,
    standardize: bool = True,
    mean: float | None = None,
    deviation: float | None = None,
    recompute: bool = False,
    preset: str | None = None,
    patch_weights: str = "mean",
    name: str = "ast",
) -> keras.Model:
    """AST (Gong, Chung & Glass, "AST: Audio Spectrogram Transformer", 2021) on the blocks of keras-hub's DeiT.

    Patches of 16 frames by 16 bins, side by side as GAFX (section 3.2) has them or, as AST's own stride of 10,
    overlapping, are tokens beside a class and a distillation token. Both are normalized, their mean is normalized once
    more, and that is the embedding. Features come in as `(x - mean) / (2 * deviation)`, as AST was trained.

    Args:
        input_shape: `(frames, bins)` or `(frames, bins, channels)`, all known; at least a patch.
        size: `"tiny"`, `"small"` or `"base"`. Defaults to `"tiny"`.
        width: of a token, instead of the size's.
        depth: blocks, instead of the size's.
        heads: of each attention, instead of the size's; they divide the width.
        hidden: units within each block. Defaults to four times the width.
        patch: frames and bins of a patch. Defaults to 16.
        stride: from one patch to the next, a number or `(frames, bins)`. Defaults to 16.
        dropout: rate of the tokens, and in each block. Defaults to 0.
        epsilon: of every normalization. Defaults to 1e-6, DeiT's.
        standardize: bring features to mean 0 and deviation 0.5. Defaults to True.
        mean: of the features. Defaults to None, as gathered while training (`keraudio.layers.RunningNormalization`).
        deviation: of the features, given with `mean`.
        recompute: compute each block again for its gradient instead of keeping what is within: less memory, more time.
            Defaults to False.
        preset: name or folder of a keras-hub preset of `DeiTBackbone` whose weights it begins with. Defaults to None.
        patch_weights: what becomes of a preset's weights of red, green and blue: their `"mean"` (GAFX, section 3.2) or
            their `"sum"` (AST's code). Defaults to `"mean"`.
        name: of the model.

    Returns:
        A functional model from `(batch, *input_shape)` to `(batch, width)`.

    Raises:
        ValueError: an argument is out of its range, or the preset is of another make.
        KeraudioError: keras-hub is not installed.

    Example:
        >>> ast((1024, 128), depth=1).output_shape
        (None, 192)
    """
    if size not in SIZES:
        raise ValueError(f"`size` must be one of {', '.join(SIZES)}. Received: size={size!r}")
    shape = tuple(input_shape)
    if len(shape) not in (2, 3) or None in shape:
        raise ValueError(f"`input_shape` must be (frames, bins) or (frames, bins, channels). Received: {shape}")
    width, depth, heads = (
        of_size if given is None else given for given, of_size in zip((width, depth, heads), SIZES[size], strict=True)
    )
    hidden = 4 * width if hidden is None else hidden
    if min(width, depth, heads, hidden) < 1 or width % heads:
        raise ValueError(
            "`width`, `depth`, `heads` and `hidden` must be at least 1, and `heads` must divide `width`. "
            f"Received: width={width}, depth={depth}, heads={heads}, hidden={hidden}"
        )
    if (mean is None) != (deviation is None) or (deviation is not None and deviation <= 0):
        raise ValueError(
            "`mean` and `deviation` must be given together, the deviation above 0. "
            f"Received: mean={mean}, deviation={deviation}"
        )
    if patch_weights not in ("mean", "sum"):
        raise ValueError(f"`patch_weights` must be 'mean' or 'sum'. Received: patch_weights={patch_weights!r}")

    features = keras.Input(shape, name="features")
    x = _standardized(features, mean, deviation) if standardize else features
    if len(shape) == 2:
        x = layers.Reshape((*shape, 1), name="channel")(x)
    strides = stride if isinstance(stride, int) else (stride[0], stride[1])
    x = PatchTokens(width, patch, stride=strides, dropout=dropout, name="tokens")(x)
    for number in range(1, depth + 1):
        x = DeiTBlock(heads, hidden, dropout=dropout, epsilon=epsilon, recompute=recompute, name=f"block_{number}")(x)
    x = layers.Cropping1D((0, x.shape[1] - 2), name="class_and_distillation")(x)
    x = layers.LayerNormalization(epsilon=epsilon, name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="mean_of_both")(x)
    model = keras.Model(features, layers.LayerNormalization(epsilon=epsilon, name="embedding")(x), name=name)
    if preset is not None:
        _start_from(model, preset, patch_weights)
    return model


def _standardized(features: Any, mean: float | None, deviation: float | None) -> Any:
    # In float32: log-mel features lie far from 0, where bfloat16 has few digits.
    if mean is None or deviation is None:
        x = RunningNormalization(axis="all", dtype="float32", name="normalization")(features)
        return layers.Rescaling(0.5, dtype="float32", name="half")(x)
    scale = 0.5 / deviation
    return layers.Rescaling(scale, -mean * scale, dtype="float32", name="normalization")(features)


def _start_from(model: keras.Model, preset: str, patch_weights: str) -> None:
    """Gives an AST the weights of a DeiT of images."""
    try:
        source = deit_backbone().from_preset(preset)
    except (ValueError, OSError, KeyError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"`preset` must be a DeiT preset of keras-hub. Received: preset={preset!r}: {reason}"
        ) from error
    tokens = model.get_layer("tokens")
    blocks = [layer for layer in model.layers if isinstance(layer, DeiTBlock)]
    wanted = (tokens.width, len(blocks), blocks[0].heads, blocks[0].hidden, (tokens.patch, tokens.patch))
    found = (
        source.hidden_dim, source.num_layers, source.num_heads, source.intermediate_dim, tuple(source.patch_size),
    )  # fmt: skip
    if wanted != found:
        raise ValueError(
            f"`preset` must have the backbone's width, depth, heads, hidden and patch, {wanted}. Received: {found}"
        )
    embedding = source.get_layer("deit_patching_and_embedding")
    channels = tokens.projection.kernel.shape[2]
    # An image's rows are frequency here, its columns time.
    kernel = np.swapaxes(_values(embedding.patch_embedding.kernel), 0, 1)
    kernel = kernel.mean(axis=2, keepdims=True) if patch_weights == "mean" else kernel.sum(axis=2, keepdims=True)
    # Channels that are all alike answer as one does.
    tokens.projection.kernel.assign(np.repeat(kernel / channels, channels, axis=2))
    tokens.projection.bias.assign(_values(embedding.patch_embedding.bias))
    tokens.class_token.assign(_values(embedding.class_token))
    tokens.distillation_token.assign(_values(embedding.distillation_token))
    positions = _values(embedding.position_embedding)[0]
    rows, columns = (length // tokens.patch for length in source.image_shape[:2])
    frames, bins = tokens.grid(tokens.input.shape)
    grid = resampled_positions(positions[2:].reshape(rows, columns, -1), frames, bins)
    tokens.positions.assign(np.concatenate([positions[:2], grid.reshape(frames * bins, -1)])[None])
    for block, theirs in zip(blocks, encoder_blocks(source), strict=True):
        block.block.set_weights(theirs.get_weights())
    model.get_layer("norm").set_weights(source.get_layer("deit_encoder").layer_norm.get_weights())


def _values(variable: keras.Variable) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable.value))
