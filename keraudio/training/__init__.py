"""Training with `model.fit`: classifiers, front ends on others' output, classifiers of trained networks' features."""

from keraudio.training.features import feature_columns, feature_model, last_levels, layer_names, levels
from keraudio.training.fit import FRONT_END_FILE, MODEL_FILE, Fitted, fit, fit_front_end
from keraudio.training.settings import TrainingSettings
from keraudio.training.training_model import TrainingModel, TransformModel, check_target
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
    "FRONT_END_FILE",
    "MODEL_FILE",
    "Extractor",
    "Fitted",
    "Head",
    "TrainingModel",
    "TrainingSettings",
    "TransformModel",
    "build_extractor",
    "check_classifiers",
    "check_target",
    "clip_features",
    "clip_samples",
    "end_to_end",
    "feature_columns",
    "feature_model",
    "fit",
    "fit_front_end",
    "fit_head",
    "last_levels",
    "layer_names",
    "levels",
    "load_sources",
]
