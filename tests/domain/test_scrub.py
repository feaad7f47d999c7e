"""What a model says of its secrets is not told, in whatever pieces it says it."""

import json
import time
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.scrub import MARK, ItemScrubber, Scrubber, TextScrubber

KEY = "sk-0123456789"
PEM = "-----BEGIN-----\nMIIEvQIBADANBg\nshort\n-----END KEY-----\n"

letters = st.text("ab\n", max_size=12)
secrets = st.lists(st.text("ab\n", min_size=4, max_size=9), max_size=3)


def test_a_value_becomes_a_mark_wherever_it_stands() -> None:
    scrubber = Scrubber([KEY])

    assert scrubber.text(f"key={KEY}, again {KEY}{KEY}") == f"key={MARK}, again {MARK}{MARK}"
    assert scrubber.json({KEY: [KEY, 1, None, {"x": f"<{KEY}>"}]}) == {MARK: [MARK, 1, None, {"x": f"<{MARK}>"}]}


def test_what_json_python_and_urls_make_of_it_is_known_too() -> None:
    scrubber = Scrubber(['pass"word\nüber 1'])

    for written in ('pass"word\nüber 1', r"pass\"word\n\u00fcber 1", r"pass\"word\nüber 1", r"pass"):
        assert "word" not in scrubber.text(f"({written})")
    assert scrubber.text("?key=pass%22word%0A%C3%BCber%201") == f"?key={MARK}"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("hunter2/x+y z&k", urlencode({"k": "hunter2/x+y z&k"})[2:]),
        ("hunter2/x+y z&k", quote("hunter2/x+y z&k", safe="")),
        ("hunter2/x+y z&k", quote("hunter2/x+y z&k", safe="").replace("%2F", "%2f").replace("%2B", "%2b")),
        ("a-token-in-a-file\n", "a-token-in-a-file"),
        ("\ta-token-in-a-file ", "a-token-in-a-file"),
        ("first-line-of-it\n  second-line-of-it\n", "second-line-of-it"),
        ("kéy-of-böb", repr("kéy-of-böb".encode())[2:-1]),
        ('say "key" \\ twice', json.dumps(json.dumps('say "key" \\ twice'))[3:-3]),
    ],
)
def test_what_programs_make_of_it_on_the_way_is_known_too(value: str, written: str) -> None:
    assert Scrubber([value]).text(f"<{written}>") == f"<{MARK}>"


def test_a_very_long_value_is_taken_out_piece_by_piece() -> None:
    value = "".join(f"{number:x}/" for number in range(20_000))

    told = Scrubber([value]).text(f"<{value}>{value[5000:]}")

    assert told.startswith("<[secret][secret]")
    assert len(told) < len(value) / 50


def test_values_of_a_model_and_of_a_caller_are_taken_out_together() -> None:
    scrubber = Scrubber(["hunter2"], Scrubber([KEY]))

    assert scrubber.text(f"{KEY} hunter2") == f"{MARK} {MARK}"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("\n".join(f"{number:08x}" for number in range(7000)), "step 12345 loss=0.1234 lr=3e-5 over the lazy dog\n"),
        ("a" * 65_000 + "b", "a" * 60_000 + "c"),
        ("\n".join("a" * length for length in range(8, 350)), "aaaaaaaab" * 5000),
    ],
    ids=["many lines", "a long one that nearly comes", "one within the other"],
)
def test_nasty_values_do_not_stop_the_server(value: str, line: str) -> None:
    log = TextScrubber(Scrubber([value]))
    start = time.process_time()

    for _ in range(5):
        log.feed(line)

    assert time.process_time() - start < 2


def test_a_line_of_a_value_is_taken_out_by_itself_when_it_is_long_enough() -> None:
    scrubber = Scrubber([PEM])

    assert scrubber.text(PEM) == MARK
    assert scrubber.text("MIIEvQIBADANBg / short") == f"{MARK} / short"


def test_values_of_three_characters_stay() -> None:
    assert Scrubber(["abc", ""]).is_idle
    assert Scrubber(["abc"]).text("abc") == "abc"


def test_only_what_may_become_a_secret_waits() -> None:
    log = TextScrubber(Scrubber([KEY]))

    assert log.feed("hello sk") == "hello "
    assert log.feed("-0123") == ""
    assert log.feed("x\n") == "sk-0123x\n"
    assert log.feed(KEY + "\n") == MARK + "\n"
    assert log.feed("sk-") == ""
    assert log.close() == "sk-"


def test_the_items_of_a_stream_stay_as_many() -> None:
    items = ItemScrubber(Scrubber([KEY]))

    assert items.feed("my key is ") == ["my key is "]
    assert items.feed("sk") == []
    assert items.feed("-01234") == []
    assert items.feed("56789sk") == [MARK, ""]
    assert items.feed("y") == ["sk", "y"]
    assert items.close() == []


@given(secrets, st.lists(letters, max_size=8))
def test_a_text_in_pieces_is_told_as_if_it_came_whole(values: list[str], pieces: list[str]) -> None:
    scrubber = Scrubber(values)
    log = TextScrubber(scrubber)

    told = "".join([*(log.feed(piece) for piece in pieces), log.close()])

    assert told == scrubber.text("".join(pieces))


@given(secrets, st.lists(letters, max_size=8))
def test_items_tell_together_what_they_would_tell_whole(values: list[str], pieces: list[str]) -> None:
    scrubber = Scrubber(values)
    items = ItemScrubber(scrubber)

    told = [one for piece in pieces for one in items.feed(piece)] + items.close()

    assert len(told) == len(pieces)
    assert "".join(told) == scrubber.text("".join(pieces))


@given(secrets, letters)
def test_no_secret_is_left_over(values: list[str], text: str) -> None:
    left = Scrubber(values).text(text).split(MARK)

    assert not [value for value in values for piece in left if value in piece]
