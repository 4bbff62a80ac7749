"""Training a classifier with `model.fit`, and transfer: features of trained networks and classifiers of them."""

from keraudio.training.features import feature_columns, feature_model, last_levels, layer_names, levels
from keraudio.training.fit import Fitted, fit
from keraudio.training.settings import TrainingSettings
from keraudio.training.training_model import TrainingModel
from keraudio.training.transfer import (
    CLASSIFIERS,
    Extractor,
    Head,
    build_extractor,
    check_classifiers,
    clip_features,
    clip_samples,
    end_to_end,
    fit_head,
    load_sources,
)

__all__ = [
    "CLASSIFIERS",
    "Extractor",
    "Fitted",
    "Head",
    "TrainingModel",
    "TrainingSettings",
    "build_extractor",
    "check_classifiers",
    "clip_features",
    "clip_samples",
    "end_to_end",
    "feature_columns",
    "feature_model",
    "fit",
    "fit_head",
    "last_levels",
    "layer_names",
    "levels",
    "load_sources",
]
