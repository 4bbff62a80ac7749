"""The engine that tags songs: find the files, predict each one from its windows; bad files are answers too."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from keraudio.tagging.aliases import Aliases, apply_aliases, read_aliases
    from keraudio.tagging.demo import demo_folder
    from keraudio.tagging.playlists import playlist_files, write_playlists
    from keraudio.tagging.predict import Prediction, Seconds, predict_files

# Late, so that the command line can refuse a wrong path without waiting for a backend.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "aliases": ["Aliases", "apply_aliases", "read_aliases"],
        "demo": ["demo_folder"],
        "playlists": ["playlist_files", "write_playlists"],
        "predict": ["Prediction", "Seconds", "predict_files"],
    },
)
