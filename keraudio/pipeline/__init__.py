"""From a manifest to batches: each clip is decoded once into a cache, then cropped and fed to `model.fit`.

`Crops` and `Windows` say what a batch is, as a pure function of seed, epoch and step; `feed` turns either into a
`tf.data.Dataset` where TensorFlow is installed and into a `keras.utils.PyDataset` elsewhere, with the same batches.
`read_checkpoint` reads TensorFlow-1 weights.
"""

from keraudio.pipeline.batches import Crops, Windows
from keraudio.pipeline.cache import CachedClips, cache_clips, default_cache_folder
from keraudio.pipeline.checkpoint import read_checkpoint
from keraudio.pipeline.copies import Copies, with_copies
from keraudio.pipeline.feed import feed, feed_kind, start_feed

__all__ = [
    "CachedClips",
    "Copies",
    "Crops",
    "Windows",
    "cache_clips",
    "default_cache_folder",
    "feed",
    "feed_kind",
    "read_checkpoint",
    "start_feed",
    "with_copies",
]
