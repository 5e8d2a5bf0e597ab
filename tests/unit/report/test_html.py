"""The page of reports: complete, whole HTML, and no way in for names that strangers chose."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import msgspec
import pytest

from midge.report.charts import arena_picture, flash_parts, ram_parts, trend
from midge.report.html import Source, html_page
from midge.report.record import ArenaBuffer, Report
from report_examples import REPORT

_VOID = {"br", "meta"}
PLAN = (
    ArenaBuffer(name="input x", offset=0, bytes=4_000, first=0, last=0),
    ArenaBuffer(name="conv_1", offset=4_000, bytes=12_000, first=0, last=1),
    ArenaBuffer(name="depthwise", offset=0, bytes=4_000, first=1, last=2),
)


@dataclass
class Seen(HTMLParser):
    """The page's tags, its text, and those that were not closed in order."""

    tags: list[str] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    text: str = ""
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in _VOID:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(*reports: Report) -> Seen:
    """The page of `reports`, whole."""
    parser = Seen()
    parser.feed(html_page([Source(f"night-{n}", report) for n, report in enumerate(reports, 1)]))
    parser.close()
    assert not parser.opened
    return parser


def slower(report: Report, cycles: int) -> Report:
    """The report with another count."""
    return msgspec.structs.replace(report, cycles=msgspec.structs.replace(report.cycles, total=cycles))


def test_every_layer_and_figure_is_on_the_page() -> None:
    page = seen(msgspec.structs.replace(REPORT, arena=PLAN))
    for layer in REPORT.cycles.per_layer:
        assert layer.name in page.text
    assert REPORT.flash is not None
    assert f"{REPORT.flash.total_bytes:,} B" in page.text
    assert "lower bound at 120 MHz" in page.text
    assert page.tags.count("rect") == len(PLAN)


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = seen(msgspec.structs.replace(REPORT, arena=PLAN), REPORT)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not {"src", "onload", "onclick"} & page.attributes


@pytest.mark.parametrize("where", ["model", "layer", "buffer", "file"])
def test_names_of_strangers_stay_text(where: str) -> None:
    evil = '"><script>alert(1)</script><b x="'
    report = msgspec.structs.replace(REPORT, arena=PLAN)
    if where == "model":
        report = msgspec.structs.replace(report, model=msgspec.structs.replace(report.model, name=evil))
    elif where == "layer":
        first, *rest = report.cycles.per_layer
        layers = (msgspec.structs.replace(first, name=evil, op=evil, kernel=evil), *rest)
        report = msgspec.structs.replace(report, cycles=msgspec.structs.replace(report.cycles, per_layer=layers))
    elif where == "buffer":
        report = msgspec.structs.replace(report, arena=(msgspec.structs.replace(PLAN[1], name=evil),))
    page = html_page([Source(evil if where == "file" else "night", report)])
    assert "<script" not in page
    assert "&lt;script" in page


def test_reports_of_one_network_are_a_history_and_others_are_apart() -> None:
    elsewhere = msgspec.structs.replace(REPORT, board="uno")
    page = seen(slower(REPORT, 900_000), elsewhere, slower(REPORT, 990_000))
    assert page.tags.count("section") == 2
    assert "Since night-1" in page.text
    assert "+90,000" in page.text
    assert "cycles: 900,000 to 990,000 (+10.00 %)" in page.text


def test_a_report_without_cycles_flash_plan_or_accuracy_is_a_page_too() -> None:
    bare = msgspec.structs.replace(
        REPORT,
        cycles=msgspec.structs.replace(REPORT.cycles, total=None),
        **dict.fromkeys(("flash", "ram", "accuracy", "latency_us", "latency_is")),
    )
    assert "svg" not in seen(bare).tags


def test_parts_of_a_bar_fill_it() -> None:
    assert REPORT.flash is not None
    assert REPORT.ram is not None
    for parts in (flash_parts(REPORT.flash), ram_parts(REPORT.ram)):
        assert sum(part.percent for part in parts) == pytest.approx(100, abs=0.01)


def test_boxes_lie_where_the_plan_says() -> None:
    picture = arena_picture(msgspec.structs.replace(REPORT, arena=PLAN))
    assert picture is not None
    conv = picture.boxes[1]
    # Offset 4,000 of 16,000: a quarter of the height is below it, and it reaches the top.
    assert (conv.x, conv.y) == (0, 0)
    assert conv.height == pytest.approx(0.75 * picture.height)
    assert conv.width == pytest.approx(2 / 3 * picture.width, abs=0.01)


def test_what_never_changed_is_no_trend() -> None:
    assert trend("flash", "B", [("a", 10), ("b", 10)]) is None
    drawn = trend("flash", "B", [("a", 10), ("b", 30), ("c", 20)])
    assert drawn is not None
    # Less is lower on the page, where y grows downwards.
    assert drawn.points[0].y > drawn.points[2].y > drawn.points[1].y
