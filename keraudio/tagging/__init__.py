"""The engine that tags songs: scan -> predict -> plan -> write -> undo, each a stage that yields one record a song.

    find_audio --paths--> predict_files --Prediction--> apply_aliases --> propose --Proposal--> apply_proposals
                                                                             |                        |
                                                                        write_plan, read_plan      Journal <-- undo_run

The command line and the app take the records as they come; closing a stage's generator cancels it. Files are opened in
child processes (`Workers`), results are kept by the sound (`Results`), and only `write` touches people's files.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from keraudio.tagging.aliases import Aliases, apply_aliases, read_aliases
    from keraudio.tagging.demo import demo_folder
    from keraudio.tagging.journal import Change, Journal, JournalBusyError, Run, journal_file
    from keraudio.tagging.organize import FIELDS, Organizer
    from keraudio.tagging.plan import EXISTING, Proposal, check_plan, propose, read_plan, write_plan
    from keraudio.tagging.playlists import playlist_files, write_playlists
    from keraudio.tagging.predict import Prediction, Seconds, StoredModel, predict_files
    from keraudio.tagging.rows import write_results
    from keraudio.tagging.song_tags import SongTags, read_tags, require_tags, tags_installed
    from keraudio.tagging.timeline import Timeline, hear_timeline
    from keraudio.tagging.write import Outcome, Undone, apply_proposals, finish_interrupted, undo_run

# Late, so that the command line can refuse a wrong path without waiting for a backend.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "aliases": ["Aliases", "apply_aliases", "read_aliases"],
        "demo": ["demo_folder"],
        "journal": ["Change", "Journal", "JournalBusyError", "Run", "journal_file"],
        "organize": ["FIELDS", "Organizer"],
        "plan": ["EXISTING", "Proposal", "check_plan", "propose", "read_plan", "write_plan"],
        "playlists": ["playlist_files", "write_playlists"],
        "predict": ["Prediction", "Seconds", "StoredModel", "predict_files"],
        "rows": ["write_results"],
        "song_tags": ["SongTags", "read_tags", "require_tags", "tags_installed"],
        "timeline": ["Timeline", "hear_timeline"],
        "write": ["Outcome", "Undone", "apply_proposals", "finish_interrupted", "undo_run"],
    },
)
