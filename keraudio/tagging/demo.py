"""The tiny clips that come with keraudio."""

from pathlib import Path


def demo_folder() -> Path:
    """Folder of the demo clips, with their credits in `CREDITS.md`."""
    return Path(__file__).parent / "demo"
