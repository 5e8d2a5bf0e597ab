"""What `midge inspect` says of removed channels."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console

from midge.passes.constant_channels import Removal
from midge.report.removals import print_removals, removal_facts

CONSTANT = Removal("first", "conv2d", 4, ((1, -128), (3, 5)), (), macs=1800, parameters=40)
UNREAD = Removal("second", "conv2d", 2, (), (0,), macs=200, parameters=4)


def printed(removals: Sequence[Removal]) -> str:
    text = io.StringIO()
    print_removals(Console(file=text, width=200), removals, 10_000, 8_000)
    return text.getvalue()


def test_the_sentence_counts_macs_channels_and_parameters() -> None:
    text = printed([CONSTANT, UNREAD])
    assert "8,000 of 10,000 MACs are live; 3 channels and 44 parameters" in text
    assert "one value: " in text
    assert "never read: " in text


def test_only_the_reasons_that_occur_are_explained() -> None:
    assert "never read: " not in printed([CONSTANT])
    assert "one value: " not in printed([UNREAD])


def test_a_network_that_loses_nothing_is_said_to() -> None:
    assert printed([]) == "All 10,000 MACs are live: no channel is constant or unread.\n"


def test_the_record_names_each_channel_and_its_value() -> None:
    (facts,) = removal_facts([CONSTANT])
    assert facts["constant"] == [{"channel": 1, "value": -128}, {"channel": 3, "value": 5}]
    assert (facts["layer"], facts["op"], facts["channels"], facts["unread"]) == ("first", "conv2d", 4, [])
