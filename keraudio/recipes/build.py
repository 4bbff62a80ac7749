"""From a recipe to its classifier."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keraudio.backbones import BACKBONES, FIXED_FRAMES
from keraudio.classifier import AudioClassifier, layer_name
from keraudio.description import Description
from keraudio.errors import RecipeError
from keraudio.frontends import FRONT_ENDS
from keraudio.recipes.schema import FEATURE_AUGMENTATIONS, WAVEFORM_AUGMENTATIONS, Recipe


def build_classifier(recipe: Recipe, labels: Sequence[str], *, multi_label: bool) -> AudioClassifier:
    """The untrained classifier of a recipe, for a data set's labels.

    Raises:
        RecipeError: an option of the front end, the backbone or an augmentation is out of its range, or they do not
            fit together.
    """
    description = Description(
        labels=tuple(labels),
        sample_rate=recipe.audio.sample_rate,
        window=recipe.audio.window_samples,
        hop=recipe.audio.hop_samples,
        multi_label=multi_label,
        aggregate=recipe.evaluation.aggregate,
        name=recipe.name,
    )
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.training.precision)
    try:
        samples = recipe.audio.window_samples if recipe.backbone.name in FIXED_FRAMES else None
        front_end = FRONT_ENDS[recipe.front_end.name](
            recipe.audio.sample_rate, samples=samples, **recipe.front_end.options
        )
        backbone = BACKBONES[recipe.backbone.name](front_end.output_shape[1:], **recipe.backbone.options)
        return AudioClassifier(
            front_end,
            backbone,
            description,
            dropout=recipe.head.dropout,
            waveform_augmentation=_augmentation(recipe, WAVEFORM_AUGMENTATIONS),
            feature_augmentation=_augmentation(recipe, FEATURE_AUGMENTATIONS),
            name=layer_name(recipe.name),
        )
    except (ValueError, TypeError) as error:
        raise RecipeError(f"{recipe.name}: {error}") from error
    finally:
        keras.config.set_dtype_policy(policy)


def _augmentation(recipe: Recipe, kinds: Mapping[str, Callable[..., Any]]) -> list[keras.Layer]:
    """The recipe's layers of these kinds, in their order; those that count in seconds learn the sample rate."""
    chosen = [(make, recipe.augmentation[name]) for name, make in kinds.items() if name in recipe.augmentation]
    rate = {"sample_rate": recipe.audio.sample_rate}
    return [
        make(**options, **(rate if "sample_rate" in inspect.signature(make).parameters else {}))
        for make, options in chosen
    ]
