"""Zip archives from strangers are read within limits, or refused in words."""

from __future__ import annotations

import io
import warnings
import zipfile

import pytest

from midge.importers.archives import member_names, read_archive, write_archive
from midge.importers.flatbuffer import DamagedFile


def archive(*members: tuple[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as writer, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in members:
            writer.writestr(name, data)
    return content.getvalue()


def test_what_was_written_is_read() -> None:
    members = {"a": b"1", "folder/b": bytes(1000)}
    assert read_archive(write_archive(members)) == members
    assert member_names(write_archive(members)) == ("a", "folder/b")


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", "a\\..\\up"])
def test_a_member_that_leads_out_is_refused(name: str) -> None:
    with pytest.raises(DamagedFile, match="leads out"):
        read_archive(archive((name, b"")))


def test_two_members_of_one_name_are_refused() -> None:
    with pytest.raises(DamagedFile, match="two members"):
        read_archive(archive(("config.json", b"{}"), ("config.json", b"[]")))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = bytes(64 << 20)
    with pytest.raises(DamagedFile, match="more than"):
        read_archive(archive(*((str(i), bomb) for i in range(5))))


def test_no_damage_to_an_archive_gives_anything_but_words() -> None:
    whole = archive(("config.json", b"{}" * 200), ("weights", bytes(range(256))))
    for position in range(len(whole)):
        for damaged in (whole[:position], whole[:position] + b"\xff" + whole[position + 1 :]):
            member_names(damaged)
            try:
                read_archive(damaged)
            except DamagedFile as problem:
                assert str(problem)
