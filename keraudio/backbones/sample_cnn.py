"""SampleCNN's trunk: small filters and pools, module upon module, over samples or the frames of a spectrogram."""

import math
from collections.abc import Sequence

import keras
from keras import layers

# Of the authors' code.
_EPSILON = 1e-5
BLOCKS = ("conv", "se", "res", "rese")
# Dropped between the two convolutions of a residual block (Kim, Lee & Nam 2018).
_BLOCK_DROPOUT = 0.2


def sample_cnn(
    input_shape: Sequence[int | None],
    *,
    pools: str | Sequence[int] = (3,) * 9,
    filters: Sequence[int] | None = None,
    variant: str = "paper",
    embedding: int = 512,
    narrowing: int = 1,
    block: str = "conv",
    amplifying_ratio: int = 16,
    pool: str = "flatten",
    levels: int = 1,
    norm_momentum: float = 0.99,
    name: str = "sample_cnn",
) -> keras.Model:
    """The modules of SampleCNN and the convolution over what they leave (Kim, Lee & Nam 2019, table 1).

    A module of pool m is a convolution of m frames that pads with zeros, batch normalization, a rectifier and a pool of
    m; a convolution of one frame follows the last. Behind `strided_conv` with filters of 2 to 5 samples this is the
    sample-level model: the m^n-SampleCNN has a first stride of m and n pools of m. Behind `strided_conv` with longer
    filters, or `log_mel`, it is the frame-level one of table 2.

    Its levels have names, for features: `"module_1"` and so on (rectified, before the pool) and `"last"`.

    Args:
        input_shape: `(frames, channels)`; frames may be None with a global pool.
        pools: of each module from the bottom; also as digits, `"333322442"` or `"3-3-3-3-2-2-4-4-2"` (table 3 without
            its first digit, which is the front end's). Defaults to nine of 3.
        filters: of each module from the bottom. Defaults to `module_filters(len(pools), variant)`.
        variant: `"paper"` or `"code"`, the released code's filters. Defaults to `"paper"`.
        embedding: filters of the last convolution. Defaults to 512.
        narrowing: all filters, of the embedding too, are divided by it, for small budgets. Defaults to 1.
        block: of the modules: `"conv"`; `"se"`, channels weighed by squeeze and excitation; `"res"`, two convolutions
            beside a shortcut; `"rese"`, both (Kim, Lee & Nam 2018). Defaults to `"conv"`.
        amplifying_ratio: of `"se"` and `"rese"`, units of the excitation's inner layer over channels. Defaults to 16.
        pool: of what the modules leave: `"flatten"`, for windows of which exactly one frame is left, `"max"` or
            `"average"` over any number of frames. Defaults to `"flatten"`.
        levels: how many of the highest levels make the embedding: 1, the last convolution alone; more, the maximum over
            time of each of the last modules, side by side, then a dense layer of as many units (3 in ReSE-2-Multi).
            Defaults to 1.
        norm_momentum: of batch normalization's moving statistics, 0 to 1. Defaults to 0.99.
        name: of the model.

    Returns:
        A functional model from `(batch, frames, channels)` to `(batch, dimensions)`.

    Raises:
        ValueError: an argument is out of its range, or the pools leave no frame, or with `"flatten"` not exactly one.

    Example:
        >>> sample_cnn((19683, 128)).output_shape
        (None, 512)
        >>> sample_cnn((81, 128), pools="3-3-3-3").output_shape
        (None, 512)
    """
    sizes = _pools(pools)
    widths = module_filters(len(sizes), variant) if filters is None else tuple(filters)
    if narrowing < 1:
        raise ValueError(f"`narrowing` must be at least 1. Received: narrowing={narrowing}")
    widths, embedding = tuple(max(1, width // narrowing) for width in widths), max(1, embedding // narrowing)
    _check(input_shape, sizes, widths, block, pool, levels, norm_momentum)

    features = keras.Input(tuple(input_shape), name="features")
    x = features
    hidden = []
    for number, (size, width) in enumerate(zip(sizes, widths, strict=True), 1):
        if block in ("conv", "se"):
            x = _convolution(x, width, size, norm_momentum, f"module_{number}")
            hidden.append(x)
            x = layers.MaxPooling1D(size, name=f"module_{number}_pool")(x)
            if block == "se":
                x = _excited(x, amplifying_ratio, f"module_{number}_excitation")
        else:
            ratio = amplifying_ratio if block == "rese" else None
            x = _residual(x, width, size, norm_momentum, ratio, f"module_{number}")
            hidden.append(x)
            x = layers.MaxPooling1D(size, name=f"module_{number}_pool")(x)
    if levels > 1:
        peaks = [layers.GlobalMaxPooling1D(name=f"level_{level}")(one) for level, one in enumerate(hidden[-levels:], 1)]
        x = layers.Concatenate(name="levels")(peaks)
        x = layers.Dense(x.shape[-1], name="last_dense")(x)
        x = layers.BatchNormalization(momentum=norm_momentum, epsilon=_EPSILON, name="last_norm")(x)
        return keras.Model(features, layers.ReLU(name="last")(x), name=name)
    x = _convolution(x, embedding, 1, norm_momentum, "last")
    ends = {
        "flatten": layers.Flatten,
        "max": layers.GlobalMaxPooling1D,
        "average": layers.GlobalAveragePooling1D,
    }
    return keras.Model(features, ends[pool](name="embedding")(x), name=name)


def module_filters(modules: int, variant: str = "paper") -> tuple[int, ...]:
    """Filters of SampleCNN's modules from the bottom.

    Nine modules have those of table 1. Fewer leave out the lowest, as the text adds modules at the bottom (section
    3.3); more have further ones of 256 filters, as the released code for 2^13 has.

    Args:
        modules: number of them, at least 1.
        variant: `"paper"`: the last two modules have 512 filters; `"code"`: the last one alone, as in the released code
            and its weights. Defaults to `"paper"`.

    Raises:
        ValueError: an argument is out of its range.

    >>> module_filters(9), module_filters(4)
    ((128, 128, 256, 256, 256, 256, 256, 512, 512), (256, 256, 512, 512))
    """
    if variant not in ("paper", "code"):
        raise ValueError(f"`variant` must be 'paper' or 'code'. Received: variant={variant!r}")
    if modules < 1:
        raise ValueError(f"`modules` must be at least 1. Received: modules={modules}")
    top = 2 if variant == "paper" else 1
    middle = max(7, modules - 2) - top
    return ((128,) * 2 + (256,) * middle + (512,) * top)[-modules:]


def _pools(pools: str | Sequence[int]) -> tuple[int, ...]:
    if isinstance(pools, str):
        digits = pools.split("-") if "-" in pools else list(pools)
        if not digits or not all(digit.isdecimal() for digit in digits):
            raise ValueError(f"`pools` must be digits, also with '-' between them. Received: pools={pools!r}")
        pools = [int(digit) for digit in digits]
    if not pools or min(pools) < 2:
        raise ValueError(f"`pools` must be at least 2, one a module. Received: pools={tuple(pools)}")
    return tuple(pools)


def _check(
    input_shape: Sequence[int | None],
    sizes: Sequence[int],
    widths: Sequence[int],
    block: str,
    pool: str,
    levels: int,
    momentum: float,
) -> None:
    if len(input_shape) != 2 or input_shape[1] is None:
        raise ValueError(f"`input_shape` must be (frames, channels), channels known. Received: {tuple(input_shape)}")
    if len(widths) != len(sizes) or min(widths) < 1:
        raise ValueError(f"`filters` must be at least 1, one a pool. Received: {tuple(widths)} for {len(sizes)} pools")
    if block not in BLOCKS:
        raise ValueError(f"`block` must be one of {', '.join(BLOCKS)}. Received: block={block!r}")
    if pool not in ("flatten", "max", "average"):
        raise ValueError(f"`pool` must be 'flatten', 'max' or 'average'. Received: pool={pool!r}")
    if not 1 <= levels <= len(sizes):
        raise ValueError(
            f"`levels` must be 1 to the number of modules. Received: levels={levels}, {len(sizes)} modules"
        )
    if not 0 <= momentum < 1:
        raise ValueError(f"`norm_momentum` must be at least 0 and below 1. Received: norm_momentum={momentum}")
    frames, left = input_shape[0], input_shape[0]
    for size in sizes:
        left = None if left is None else left // size
    if left == 0:
        raise ValueError(f"The pools must leave a frame. Received: {frames} frames, pools={tuple(sizes)}")
    if pool == "flatten" and levels == 1 and (left != 1 or frames != math.prod(sizes)):
        raise ValueError(
            f"With pool='flatten' the frames must be the product of the pools, {math.prod(sizes)}. "
            f"Received: {frames} frames (another `pool` takes any number)"
        )


def _convolution(x, filters: int, size: int, momentum: float, name: str):
    x = layers.Conv1D(filters, size, padding="same", kernel_initializer="he_uniform", name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=momentum, epsilon=_EPSILON, name=f"{name}_norm")(x)
    return layers.ReLU(name=name)(x)


def _residual(x, filters: int, size: int, momentum: float, ratio: int | None, name: str):
    shortcut = x
    if shortcut.shape[-1] != filters:
        shortcut = layers.Conv1D(filters, 1, kernel_initializer="he_uniform", name=f"{name}_shortcut")(shortcut)
        shortcut = layers.BatchNormalization(momentum=momentum, epsilon=_EPSILON, name=f"{name}_shortcut_norm")(
            shortcut
        )
    x = _convolution(x, filters, size, momentum, f"{name}_first")
    x = layers.Dropout(_BLOCK_DROPOUT, name=f"{name}_dropout")(x)
    x = layers.Conv1D(filters, size, padding="same", kernel_initializer="he_uniform", name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=momentum, epsilon=_EPSILON, name=f"{name}_norm")(x)
    if ratio is not None:
        x = _excited(x, ratio, f"{name}_excitation")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=name)(x)


def _excited(x, ratio: int, name: str):
    """Channels weighed by what all frames hold of them (Hu et al. 2018, with more inner units instead of fewer)."""
    channels = x.shape[-1]
    weight = layers.GlobalAveragePooling1D(keepdims=True, name=f"{name}_mean")(x)
    weight = layers.Dense(channels * ratio, activation="relu", name=f"{name}_inner")(weight)
    weight = layers.Dense(channels, activation="sigmoid", name=f"{name}_weight")(weight)
    return layers.Multiply(name=name)([x, weight])
