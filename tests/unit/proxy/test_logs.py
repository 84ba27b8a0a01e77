from __future__ import annotations

import os

from sampan.proxy.logs import LONGEST_LINE, Log, Sink


def written(*chunks: bytes) -> list[bytes]:
    reading, writing = os.pipe()
    sink = Sink(writing)
    log = Log([sink])
    stream = log.stream("envoy shop")
    for chunk in chunks:
        stream.data_received(chunk)
    stream.connection_lost(None)
    log.close(5)
    os.close(writing)
    with os.fdopen(reading, "rb") as result:
        return result.read().splitlines()


def test_lines_are_whole_however_they_arrive() -> None:
    assert written(b"on", b"e\ntwo\r\n\nth", b"ree") == [
        b"envoy shop | one",
        b"envoy shop | two",
        b"envoy shop | ",
        b"envoy shop | three",
    ]


def test_a_line_without_end_comes_in_pieces() -> None:
    lines = written(b"a" * LONGEST_LINE, b"b" * LONGEST_LINE, b"c")
    assert lines == [b"envoy shop | " + piece for piece in (b"a" * LONGEST_LINE, b"b" * LONGEST_LINE, b"c")]


def test_a_full_queue_loses_lines_counts_them_and_goes_on() -> None:
    reading, writing = os.pipe()
    sink = Sink(writing, limit=100)
    block = b"x" * (1 << 20)
    sink.put(b"y" * 101)
    sink.put(block)
    sink.put(b"last\n")
    sink.close(5)
    os.close(writing)
    with os.fdopen(reading, "rb") as result:
        text = result.read()
    assert b"last\n" in text
    assert b"x" not in text.replace(b"whoever", b"")
    lost = [int(line.split()[2]) for line in text.splitlines() if b"lines were lost" in line]
    assert sum(lost) == 2


def test_a_reader_that_is_gone_is_no_reason_to_stop() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    sink = Sink(writing)
    sink.put(b"nobody hears this\n")
    sink.put(b"nor this\n")
    sink.close(5)
    assert not sink.running
    os.close(writing)
