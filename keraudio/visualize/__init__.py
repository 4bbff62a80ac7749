"""Pictures of runs and of what models learned, drawn without a screen and without pyplot's global state.

Needs matplotlib: `pip install 'keraudio[plots]'`.
"""

from keraudio.visualize.confusion_matrix import save_confusion_matrix
from keraudio.visualize.filters import FilterSignals, filter_layers, filter_signals, save_filter_figures
from keraudio.visualize.learning_curves import read_metrics, save_learning_curves
from keraudio.visualize.reliability_diagram import save_reliability_diagram
from keraudio.visualize.study import save_study_figure
from keraudio.visualize.tsne import embed_plane, save_tsne_figure

__all__ = [
    "FilterSignals",
    "embed_plane",
    "filter_layers",
    "filter_signals",
    "read_metrics",
    "save_confusion_matrix",
    "save_filter_figures",
    "save_learning_curves",
    "save_reliability_diagram",
    "save_study_figure",
    "save_tsne_figure",
]
