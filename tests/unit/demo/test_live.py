"""Rows out of what a real Envoy 1.40 answered, recorded twice, five seconds apart, under the demo's own traffic."""

from pathlib import Path

import pytest

from sampan.demo.live import Row, Sample, Tally, rows, sample
from sampan.demo.shown import milliseconds, rows_line

RECORDED = Path(__file__).parent / "testdata"
SPLIT = "httproute/default/reviews/split"


def recorded() -> tuple[Sample, Sample]:
    first, second = ((RECORDED / f"{name}.json").read_bytes() for name in ("first", "second"))
    return sample(first, 100.0), sample(second, 105.0)


def by_label(found: tuple[Row, ...]) -> dict[str, Row]:
    return {row.label: row for row in found}


def test_a_sample_knows_every_kind_of_route() -> None:
    assert set(recorded()[1].tallies) == {
        "grpcroute/default/stock/stock",
        "httproute/default/catalogue/products",
        "httproute/default/front-page/live",
        "httproute/default/front-page/page",
        "httproute/default/reviews/beta",
        SPLIT,
        "tcproute/default/parrot",
    }


def test_rates_are_per_second_and_totals_since_the_start() -> None:
    first, second = recorded()
    row = by_label(rows(first, second, {SPLIT: "reviews: split"}))["reviews: split"]
    grown = second.tallies[SPLIT].requests - first.tallies[SPLIT].requests
    assert grown > 0
    assert row.request_rate == pytest.approx(grown / 5)
    assert (row.requests, row.error_rate, row.errors) == (second.tallies[SPLIT].requests, 0.0, 1)


def test_quantiles_are_those_of_the_interval() -> None:
    row = by_label(rows(*recorded(), {}))[SPLIT]
    assert row.p50 is not None
    assert row.p99 is not None
    assert 0 <= row.p50 <= row.p99 < 100


def test_tcp_counts_connections_and_has_no_times() -> None:
    row = by_label(rows(*recorded(), {}))["tcproute/default/parrot"]
    assert row.request_rate > 0
    assert row.p50 is None


def test_labels_give_the_order_and_a_row_without_requests() -> None:
    labels = {SPLIT: "reviews", "httproute/default/nobody/0": "nobody"}
    found = rows(*recorded(), labels)
    assert [row.label for row in found[:2]] == ["reviews", "nobody"]
    assert found[1] == Row("nobody", 0.0, 0.0, None, None, 0, 0)


def test_prefixes_with_one_label_are_one_row() -> None:
    before = Sample(0.0, {"a": Tally(10, 1, 1.0, 5.0), "b": Tally(0)})
    after = Sample(2.0, {"a": Tally(14, 3, 2.0, 5.0), "b": Tally(6, 0, 1.0, 9.0)})
    assert rows(before, after, {"a": "both", "b": "both"}) == (Row("both", 5.0, 1.0, 2.0, 9.0, 20, 3),)


def test_an_envoy_that_restarted_counts_from_zero() -> None:
    before, after = Sample(0.0, {"a": Tally(1000, 10)}), Sample(2.0, {"a": Tally(4, 2)})
    assert rows(before, after, {}) == (Row("a", 2.0, 1.0, None, None, 4, 2),)


@pytest.mark.parametrize("body", [b"", b"no", b"{}", b"[]", b'{"stats": [{}]}', b'{"stats": [1]}'])
def test_what_is_not_statistics_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        sample(body, 0.0)


def test_a_line_names_only_who_had_requests() -> None:
    busy, idle = Row("reviews", 5.0, 0.5, 0.0, 12.4, 10, 1), Row("parrot", 0.0, 0.0, None, None, 0, 0)
    assert rows_line((busy, idle)) == "reviews: 5.0/s, 0.5 errors/s, p50 <1 ms, p99 12 ms"
    assert rows_line((idle,)) == "no requests"
    assert milliseconds(None) == "–"
