"""Pictures of runs and of what models learned, drawn without a screen and without pyplot's global state.

Needs matplotlib: `pip install 'keraudio[plots]'`.
"""

from keraudio.visualize.confusion_matrix import save_confusion_matrix
from keraudio.visualize.learning_curves import read_metrics, save_learning_curves
from keraudio.visualize.reliability_diagram import save_reliability_diagram
from keraudio.visualize.study import save_study_figure

__all__ = [
    "read_metrics",
    "save_confusion_matrix",
    "save_learning_curves",
    "save_reliability_diagram",
    "save_study_figure",
]
