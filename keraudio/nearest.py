"""The valid name closest to a mistyped one, for error messages."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Ends an error message: the nearest valid name, or all of them when none is near.

    Args:
        name: the name that was received.
        valid: the names that would have been accepted.

    Returns:
        `"Did you mean 'NAME'?"`, or `"Valid names: A, B."`.

    >>> did_you_mean("foldr", ["csv", "folder"])
    "Did you mean 'folder'?"
    >>> did_you_mean("xyz", ["csv", "folder"])
    'Valid names: csv, folder.'
    """
    names = list(valid)
    near = get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Valid names: {', '.join(names) or 'none'}."
