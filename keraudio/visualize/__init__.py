"""Pictures of runs and of what models learned, drawn without a screen and without pyplot's global state.

Needs matplotlib: `pip install 'keraudio[plots]'`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from keraudio.visualize.confusion_matrix import save_confusion_matrix
    from keraudio.visualize.filters import FilterSignals, filter_layers, filter_signals, save_filter_figures
    from keraudio.visualize.learning_curves import read_metrics, save_learning_curves
    from keraudio.visualize.reliability_diagram import save_reliability_diagram
    from keraudio.visualize.search import save_importances, save_parallel_coordinates, save_search_history
    from keraudio.visualize.study import save_study_curves, save_study_figure
    from keraudio.visualize.transform import save_front_end_figure, save_transform_figure
    from keraudio.visualize.tsne import embed_plane, save_tsne_figure
    from keraudio.visualize.windows import (
        LearnedTransform,
        learned_transforms,
        save_changes_figure,
        save_windows_figure,
    )

# Late, so that a picture of a table needs no backend.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "confusion_matrix": ["save_confusion_matrix"],
        "filters": ["FilterSignals", "filter_layers", "filter_signals", "save_filter_figures"],
        "learning_curves": ["read_metrics", "save_learning_curves"],
        "reliability_diagram": ["save_reliability_diagram"],
        "search": ["save_importances", "save_parallel_coordinates", "save_search_history"],
        "study": ["save_study_curves", "save_study_figure"],
        "transform": ["save_front_end_figure", "save_transform_figure"],
        "tsne": ["embed_plane", "save_tsne_figure"],
        "windows": ["LearnedTransform", "learned_transforms", "save_changes_figure", "save_windows_figure"],
    },
)
