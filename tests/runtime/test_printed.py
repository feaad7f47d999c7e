"""What a model prints becomes the lines of a log."""

import io

import pytest

from cogyard.runtime.wrapper.cogyard_streams import PrintedStream, Printer


@pytest.mark.parametrize(
    ("writes", "log"),
    [
        (["one\n", "two"], "one\ntwo"),
        (["\r  0%| 0/2", "\r 50%| 1/2", "\r100%| 2/2", "\n"], "  0%| 0/2\n 50%| 1/2\n100%| 2/2\n"),
        (["loading\n\r  0%| 0/2\r100%| 2/2\n"], "loading\n  0%| 0/2\n100%| 2/2\n"),
        (["  0%| 0/1\r", "100%| 1/1\r", "done\n"], "  0%| 0/1\n100%| 1/1\ndone\n"),
        (["Windows\r\n", "\r\n"], "Windows\r\n\r\n"),
        (["many\r\r\rreturns", ""], "many\nreturns"),
    ],
)
def test_each_state_of_a_bar_is_a_line(writes: list[str], log: str) -> None:
    printer, kept = Printer(), io.StringIO()
    printed = printer.begin(is_async=False)
    for text in writes:
        PrintedStream(printer, kept).write(text)
    printer.end(printed)

    assert kept.getvalue() == log
