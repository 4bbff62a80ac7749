"""From a recipe to its classifier."""

from collections.abc import Sequence

import keras

from keraudio.backbones import BACKBONES
from keraudio.classifier import AudioClassifier
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
        front_end = FRONT_ENDS[recipe.front_end.name](recipe.audio.sample_rate, **recipe.front_end.options)
        backbone = BACKBONES[recipe.backbone.name](front_end.output_shape[1:], **recipe.backbone.options)
        chosen = recipe.augmentation
        return AudioClassifier(
            front_end,
            backbone,
            description,
            dropout=recipe.head.dropout,
            waveform_augmentation=[make(**chosen[k]) for k, make in WAVEFORM_AUGMENTATIONS.items() if k in chosen],
            feature_augmentation=[make(**chosen[k]) for k, make in FEATURE_AUGMENTATIONS.items() if k in chosen],
            name=_layer_name(recipe.name),
        )
    except (ValueError, TypeError) as error:
        raise RecipeError(f"{recipe.name}: {error}") from error
    finally:
        keras.config.set_dtype_policy(policy)


def _layer_name(name: str) -> str:
    return "".join(character if character.isalnum() or character in "_-" else "_" for character in name)
