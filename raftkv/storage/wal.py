"""Is the end of RocksDB's write-ahead log torn, or is the log damaged? The one is what power loss leaves, and nobody was
promised what is in it; the other takes away promises, and a node that went on without them could vote or commit twice.

RocksDB's recovery modes each give one half of the answer. `tolerate_corrupted_tail_records` goes on with the next log file
behind a torn one, which leaves a hole; `point_in_time` stops at the first bad record, wherever that is; and
`absolute_consistency` refuses both. So the engine opens with the last one, and where that fails asks here:

    torn      the last record runs past the end of the file, or holds a whole sector of zeros (space that the file system
              gave to the file before the data reached it), and no intact record follows it
    damaged   everything else

Format of the log (RocksDB wiki, Write-Ahead-Log-File-Format): blocks of 32 KiB; records in them that never cross a block:
masked CRC-32C of type and payload (u32, little-endian), length of the payload (u16), type (u8), payload. Fewer than 7 bytes
left in a block are filled up with zeros. Zeros where a header should be end the log.
"""

import os
import struct
from pathlib import Path

_BLOCK = 32 * 1024
_SECTOR = 512
_HEADER = struct.Struct("<IHB")
_MAX_TYPE = 11


def keep_intact_part(directory: Path) -> bool:
    """Cuts a torn record of the first log file that does not end cleanly down to its header, which RocksDB takes for what it
    is. Returns whether the end was torn; False means that the log is damaged, and nothing was changed.
    """
    for file in sorted(directory.glob("*.log"), key=lambda log: int(log.stem)):
        data = file.read_bytes()
        damage = _damage_at_end(data)
        if damage is None:
            continue
        if not _torn(data, damage):
            return False
        if len(data) > damage + _HEADER.size:
            _truncate(file, damage + _HEADER.size)
        return True
    return False


def _damage_at_end(data: bytes) -> int | None:
    """Where the first bad record of the last block with anything in it starts; None if the log ends cleanly."""
    used = len(data.rstrip(b"\0"))
    offset = max(used - 1, 0) // _BLOCK * _BLOCK
    end = min(offset + _BLOCK, len(data))
    while offset < used:
        if end - offset < _HEADER.size:
            return offset if end == len(data) and end % _BLOCK else None
        size = _intact_record(data, offset, end)
        if size is None:
            return offset
        offset += size
    return None


def _torn(data: bytes, damage: int) -> bool:
    """Whether the bad record at `damage` is what a write leaves that did not come to its end."""
    end = min(damage // _BLOCK * _BLOCK + _BLOCK, len(data))
    if any(_intact_record(data, offset, end) for offset in range(damage + 1, end - _HEADER.size + 1)):
        return False
    if end - damage < _HEADER.size:
        return True
    _, length, _ = _HEADER.unpack_from(data, damage)
    record_end = damage + _HEADER.size + length
    return record_end > len(data) or _holds_empty_sector(data, damage, record_end)


def _holds_empty_sector(data: bytes, first: int, end: int) -> bool:
    start = -(-first // _SECTOR) * _SECTOR
    return any(not any(data[sector : sector + _SECTOR]) for sector in range(start, min(end, len(data)), _SECTOR))


def _intact_record(data: bytes, offset: int, end: int) -> int | None:
    """The size of the record at `offset` with its header; None if there is no intact one."""
    checksum, length, kind = _HEADER.unpack_from(data, offset)
    payload_end: int = offset + _HEADER.size + length
    if not 0 < kind <= _MAX_TYPE or payload_end > end:
        return None
    # The checksum covers the type, which is the header's last byte, and the payload.
    if _masked(_crc32c(data[offset + _HEADER.size - 1 : payload_end])) != checksum:
        return None
    return payload_end - offset


def _truncate(file: Path, size: int) -> None:
    with file.open("r+b") as log:
        log.truncate(size)
        os.fsync(log.fileno())


def _masked(checksum: int) -> int:
    """RocksDB stores checksums rotated and shifted, for its files may hold files with checksums."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720, B.4), a byte at a time: only ever asked about one block of a log that does not open."""
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum = checksum >> 8 ^ _TABLE[(checksum ^ byte) & 0xFF]
    return checksum ^ 0xFFFFFFFF


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0x82F63B78 if byte & 1 else byte >> 1
    return byte


_TABLE = tuple(_table_entry(byte) for byte in range(256))
