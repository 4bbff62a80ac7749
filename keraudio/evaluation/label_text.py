"""Label names made fit for a table or a plot: they come from data sets and model files of strangers."""

import unicodedata

__all__ = ["display_width", "pad", "shorten"]


def shorten(text: str, width: int) -> str:
    """Cuts a name to a display width and replaces what cannot be printed.

    The middle goes, not the end: "music for strings, op. 3" and "music for strings, op. 4" stay apart. Line breaks,
    terminal escapes and undecodable bytes become "?".

    Args:
        text: any string.
        width: columns at most, at least 5; an East Asian wide character takes two.

    Returns:
        The name in at most `width` columns.

    >>> shorten("a very long label name", 11)
    'a ve...name'
    """
    if width < 5:
        raise ValueError(f"`width` must be at least 5. Received: width={width}")
    clean = "".join(character if character.isprintable() else "?" for character in text)
    if display_width(clean) <= width:
        return clean
    room = width - 3
    head, tail = clean, clean
    while display_width(head) > room - room // 2:
        head = head[:-1]
    while display_width(tail) > room // 2:
        tail = tail[1:]
    return f"{head}...{tail}"


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fills a text with spaces up to a display width; `right` puts the text at the right end.

    >>> pad("ab", 4), pad("ab", 4, right=True)
    ('ab  ', '  ab')
    """
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def display_width(text: str) -> int:
    """Columns that a text takes in a terminal: two for an East Asian wide character, none for a combining one.

    >>> display_width("jazz"), display_width("ジャズ")
    (4, 6)
    """
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
