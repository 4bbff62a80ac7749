import pytest
from hypothesis import given
from hypothesis import strategies as st

from keraudio.evaluation.label_text import display_width, pad, shorten


def test_names_that_differ_at_the_end_stay_apart():
    first, second = (shorten(f"music for strings and piano, no. {number}", 16) for number in (1, 2))
    assert first != second
    assert len(first) == 16


def test_a_terminal_escape_in_a_label_is_defused():
    assert shorten("\x1b[31mred\nnext\udce9", 20) == "?[31mred?next?"


@given(st.text(), st.integers(5, 40))
def test_a_name_never_takes_more_columns_than_it_is_given(text, width):
    short = shorten(text, width)
    assert display_width(short) <= width
    assert short.isprintable()


def test_wide_characters_take_two_columns():
    assert display_width(shorten("日本の音楽と世界の音楽", 11)) <= 11
    assert pad("ジャズ", 8) == "ジャズ  "
    assert pad("ジャズ", 8, right=True) == "  ジャズ"


def test_a_width_without_room_for_the_dots_is_refused():
    with pytest.raises(ValueError, match="width=4"):
        shorten("anything", 4)
