"""Telling a torn end from damage, on logs written here by the format's description."""

import random
import struct
from pathlib import Path

import pytest

from raftkv.storage.wal import _crc32c, _masked, keep_intact_part

BLOCK = 32 * 1024
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def record(kind: int, payload: bytes) -> bytes:
    return struct.pack("<IHB", _masked(_crc32c(bytes([kind]) + payload)), len(payload), kind) + payload


def log_of(*payloads: bytes) -> bytes:
    """A log as RocksDB writes it: records in blocks, larger payloads in fragments."""
    log = b""
    for payload in payloads:
        rest, begun = payload, False
        while rest or not begun:
            room = BLOCK - len(log) % BLOCK
            if room < 7:
                log += bytes(room)
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = (LAST if begun else FULL) if not rest else (MIDDLE if begun else FIRST)
            log += record(kind, part)
            begun = True
    return log


@pytest.fixture
def noise() -> bytes:
    """No zeros in it, so that no sector is empty by chance."""
    return bytes(random.Random(1).choices(range(1, 256), k=100_000))


def judged(tmp_path: Path, *logs: bytes) -> tuple[bool, list[bytes]]:
    files = [tmp_path / f"{number:06d}.log" for number in range(len(logs))]
    for file, data in zip(files, logs, strict=True):
        file.write_bytes(data)
    return keep_intact_part(tmp_path), [file.read_bytes() for file in files]


def test_crc32c_is_that_of_rfc_3720() -> None:
    assert _crc32c(b"123456789") == 0xE3069283
    assert _crc32c(bytes(32)) == 0x8A9136AA


@pytest.mark.parametrize("tail", [b"", bytes(3), bytes(100_000)])
def test_clean_log_has_no_torn_end(tmp_path: Path, noise: bytes, tail: bytes) -> None:
    log = log_of(noise[:100], noise[:90_000], noise[:2000]) + tail
    assert judged(tmp_path, log) == (False, [log])


def test_empty_log_has_no_torn_end(tmp_path: Path) -> None:
    assert judged(tmp_path, b"", bytes(100)) == (False, [b"", bytes(100)])


def test_last_record_cut_anywhere_is_torn(tmp_path: Path, noise: bytes) -> None:
    whole = log_of(noise[:40_000])
    log = whole + record(FULL, noise[:1000])
    for cut in (1, 500, 1000, 1003, 1006):
        torn, (left,) = judged(tmp_path, log[:-cut])
        assert torn
        assert left == log[:-cut][: len(whole) + 7]


def test_end_of_zeros_is_cut_down_to_the_header(tmp_path: Path, noise: bytes) -> None:
    whole = log_of(noise[:40_000])
    log = whole + record(FULL, noise[:3000])
    torn, (left,) = judged(tmp_path, log[: len(whole) + 1000] + bytes(10_000))
    assert torn
    assert left == log[: len(whole) + 7]


def test_bad_record_without_an_empty_sector_is_damage(tmp_path: Path, noise: bytes) -> None:
    log = bytearray(log_of(noise[:1000], noise[:1000]))
    log[-5] ^= 1
    assert judged(tmp_path, bytes(log)) == (False, [bytes(log)])


def test_bad_record_before_an_intact_one_is_damage(tmp_path: Path, noise: bytes) -> None:
    log = bytearray(log_of(noise[:3000], noise[:100]))
    log[1024:2048] = bytes(1024)
    assert judged(tmp_path, bytes(log)) == (False, [bytes(log)])


def test_flipped_length_that_points_past_the_end_is_damage(tmp_path: Path, noise: bytes) -> None:
    log = bytearray(log_of(noise[:3000], noise[:100]))
    log[5] ^= 0x40
    assert judged(tmp_path, bytes(log)) == (False, [bytes(log)])


def test_first_log_that_is_torn_decides(tmp_path: Path, noise: bytes) -> None:
    log = log_of(noise[:1000])
    torn, left = judged(tmp_path, log, log[:-10], log[:-20], log)
    assert torn
    assert left == [log, log[:7], log[:-20], log]
