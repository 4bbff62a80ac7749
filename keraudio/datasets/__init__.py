"""Data sets: files and tables on disk become a `Manifest`, checked when it is made.

A folder, a CSV table, ESC-50, GTZAN or openmusic gives clips with labels, splits, folds and groups; splits are given,
made of folds or drawn at random, and never divide a group; `verify` decodes every clip before a training relies on it.
"""

from keraudio.datasets.audio_folder import load_audio_folder, without_labels
from keraudio.datasets.csv_file import load_csv
from keraudio.datasets.esc50 import load_esc50
from keraudio.datasets.folder import load_folder
from keraudio.datasets.gtzan import GENRES, gtzan_filtered_ids, load_gtzan
from keraudio.datasets.manifest import SPLITS, Clip, Manifest
from keraudio.datasets.openmusic import load_openmusic
from keraudio.datasets.sources import DATASET_KINDS, KindDescription, absolute_spec, describe_kinds, load_manifest
from keraudio.datasets.splits import SPLIT_METHODS, assign_splits, kfold
from keraudio.datasets.verify import Summary, Verdict, summary, verify

__all__ = [
    "DATASET_KINDS",
    "GENRES",
    "SPLITS",
    "SPLIT_METHODS",
    "Clip",
    "KindDescription",
    "Manifest",
    "Summary",
    "Verdict",
    "absolute_spec",
    "assign_splits",
    "describe_kinds",
    "gtzan_filtered_ids",
    "kfold",
    "load_audio_folder",
    "load_csv",
    "load_esc50",
    "load_folder",
    "load_gtzan",
    "load_manifest",
    "load_openmusic",
    "summary",
    "verify",
    "without_labels",
]
