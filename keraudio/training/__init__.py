"""Training a classifier with `model.fit`: settings, augmentation of labels, checkpoints from which a run goes on."""

from keraudio.training.fit import Fitted, fit
from keraudio.training.settings import TrainingSettings
from keraudio.training.training_model import TrainingModel

__all__ = ["Fitted", "TrainingModel", "TrainingSettings", "fit"]
