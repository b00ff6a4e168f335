"""The figures in the document: replaced in place, and true to the results."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.document import BEGIN, END, figures, with_figures


def line(**more: Any) -> dict[str, Any]:
    return {
        "group": "drain",
        "name": "drain.rate",
        "meaning": "one worker",
        "unit": "jobs/s",
        "median": 50_000,
        "min": 40_000,
        "max": 60_000,
        "rounds": 3,
        "target": None,
        "less_is_better": False,
        "at": "2026-01-02T03:04:05+00:00",
        "machine": {"cpus": 2, "architecture": "x86_64", "load_before": 0.1},
        "server": {"fsync": "on"},
        "versions": {"postgres": "18.1", "uvloop": None},
    } | more


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = with_figures(text, "new")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert with_figures(once, "new") == once


@pytest.mark.parametrize("text", ["nothing", BEGIN, END, f"{END} {BEGIN}"])
def test_a_document_without_a_place_for_them_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="put them in"):
        with_figures(text, "new")


def test_each_measure_has_its_row() -> None:
    written = figures(
        [
            line(),
            line(meaning="at least", target=60_000),
            line(meaning="at most", target=25, median=10, rounds=1, less_is_better=True),
        ],
        [],
    )
    assert "| one worker | 50,000 | 40,000 to 60,000 | jobs/s |  |" in written
    assert "| at least | 50,000 | 40,000 to 60,000 | jobs/s | at least 60,000: missed |" in written
    assert "| at most | 10 |  | jobs/s | at most 25 |" in written
    assert "2026-01-02 on 2 cores" in written
    assert "postgres 18.1; fsync = on" in written
    assert "uvloop" not in written


def test_peers_have_a_row_each_and_a_gap_where_there_is_no_figure() -> None:
    def peer(name: str, measure: str, median: float) -> dict[str, Any]:
        return line(
            peer=name, title=name.title(), version="1.0", history="kept", jobs=5_000,
            settings={"slots": 10}, note="Fair.", measure=measure, median=median,
        )  # fmt: skip

    written = figures(
        [line()], [peer("ours", "a", 1), peer("ours", "b", 2.5), peer("theirs", "b", 3)]
    )
    assert "| queue | history | jobs | a, jobs/s | b, jobs/s |" in written
    assert "| Ours 1.0 | kept | 5,000 | 1 | 2.5 |" in written
    assert "| Theirs 1.0 | kept | 5,000 |  | 3 |" in written
    assert "- Theirs: slots 10. Fair." in written
