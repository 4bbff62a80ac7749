"""From a recipe to its classifier."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keraudio.backbones import BACKBONES, FIXED_FRAMES
from keraudio.classifier import AudioClassifier, layer_name, load
from keraudio.description import Description
from keraudio.errors import RecipeError
from keraudio.frontends import FRONT_ENDS
from keraudio.learned_front_end import copy_weights, load_front_end
from keraudio.recipes.schema import FEATURE_AUGMENTATIONS, WAVEFORM_AUGMENTATIONS, PretrainingRecipe, Recipe
from keraudio.training import FRONT_END_FILE, MODEL_FILE


def build_classifier(recipe: Recipe, labels: Sequence[str], *, multi_label: bool) -> AudioClassifier:
    """The untrained classifier of a recipe, for a data set's labels.

    Raises:
        ModelFileError: weights to start with cannot be read, or are of another make.
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
        silence=recipe.audio.silence,
        name=recipe.name,
    )
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.training.precision)
    try:
        samples = recipe.audio.window_samples if recipe.backbone.name in FIXED_FRAMES else None
        front_end = FRONT_ENDS[recipe.front_end.name](
            recipe.audio.sample_rate, samples=samples, **recipe.front_end.options
        )
        start_front_end(front_end, recipe)
        backbone = BACKBONES[recipe.backbone.name](front_end.output_shape[1:], **recipe.backbone.options)
        classifier = AudioClassifier(
            front_end,
            backbone,
            description,
            dropout=recipe.head.dropout,
            waveform_augmentation=_augmentation(recipe, WAVEFORM_AUGMENTATIONS),
            feature_augmentation=_augmentation(recipe, FEATURE_AUGMENTATIONS),
            name=layer_name(recipe.name),
        )
        if recipe.start is not None:
            file = Path(recipe.start).expanduser()
            file = file / MODEL_FILE if file.is_dir() else file
            copy_weights(load(file), classifier, name=str(file))
        return classifier
    except (ValueError, TypeError) as error:
        raise RecipeError(f"{recipe.name}: {error}") from error
    finally:
        keras.config.set_dtype_policy(policy)


def start_front_end(front_end: keras.Model, recipe: Recipe | PretrainingRecipe) -> None:
    """Gives a recipe's front end the weights it begins with, and freezes it, where the recipe says so.

    Raises:
        ModelFileError: the file cannot be read, or holds another front end.
        RecipeError: it learned at another sample rate.
    """
    settings = recipe.front_end
    if settings.start is not None:
        file = Path(settings.start).expanduser()
        source = load_front_end(file / FRONT_END_FILE if file.is_dir() else file)
        if source.sample_rate != recipe.audio.sample_rate:
            raise RecipeError(
                f"{recipe.name}: `front_end.start` must have learned at the recipe's sample rate, "
                f"{recipe.audio.sample_rate} Hz. Received: {source.sample_rate} Hz"
            )
        copy_weights(source.front_end, front_end, name=settings.start)
    if settings.frozen:
        front_end.trainable = False


def _augmentation(recipe: Recipe, kinds: Mapping[str, Callable[..., Any]]) -> list[keras.Layer]:
    """The recipe's layers of these kinds, in their order; those that count in seconds learn the sample rate."""
    chosen = [(make, recipe.augmentation[name]) for name, make in kinds.items() if name in recipe.augmentation]
    rate = {"sample_rate": recipe.audio.sample_rate}
    return [
        make(**options, **(rate if "sample_rate" in inspect.signature(make).parameters else {}))
        for make, options in chosen
    ]
