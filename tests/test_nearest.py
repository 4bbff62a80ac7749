from keraudio.nearest import did_you_mean


def test_a_near_name_is_suggested() -> None:
    assert did_you_mean("flac", ["flak", "wav"]) == "Did you mean 'flak'?"


def test_without_a_near_name_all_are_listed() -> None:
    assert did_you_mean("zzz", ["flac", "wav"]) == "Valid names: flac, wav."


def test_without_names_it_says_so() -> None:
    assert did_you_mean("zzz", []) == "Valid names: none."
