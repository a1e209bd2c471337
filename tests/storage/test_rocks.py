"""What only an engine on a real disk can do: be locked, killed, torn and damaged."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from raftkv.errors import ConfigError, DataDirLockedError, StorageError
from raftkv.storage.engine import Batch, Table
from raftkv.storage.rocks import RocksEngine
from raftkv.storage.rocks_options import RocksOptions


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def engine(path: Path) -> Iterator[RocksEngine]:
    engine = RocksEngine(path)
    yield engine
    engine.close()


def write(engine: RocksEngine, *keys: bytes, sync: bool = False, value: bytes = b"v") -> None:
    batch = Batch()
    for key in keys:
        batch.put(Table.LIVE, key, value)
    engine.write(batch, sync=sync)


def keys(engine: RocksEngine) -> list[bytes]:
    return [key for key, _ in engine.scan(Table.LIVE)]


def image(path: Path, name: str) -> Path:
    """What a killed process leaves: the files as they are, without a clean close."""
    copy = path.with_name(name)
    shutil.copytree(path, copy)
    return copy


def keys_of_image(path: Path) -> list[bytes]:
    engine = RocksEngine(path)
    try:
        return keys(engine)
    finally:
        engine.close()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def child(script: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True)


# --- the folder -----------------------------------------------------------------------------------------------------


def test_data_directory_is_made_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "lib" / "data"
    RocksEngine(path).close()
    assert mode(path) == 0o700
    assert mode(path.parent) == 0o700


def test_open_data_directory_is_tightened(path: Path) -> None:
    path.mkdir(mode=0o755)
    RocksEngine(path).close()
    assert mode(path) == 0o700


def test_parent_is_synced_after_the_directory_is_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def recorded(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink())
        fsync(file)

    monkeypatch.setattr(os, "fsync", recorded)
    RocksEngine(path).close()
    assert synced == [path.parent]


def test_directory_that_cannot_be_made_is_a_storage_error(path: Path) -> None:
    path.write_bytes(b"a file")
    with pytest.raises(StorageError, match="cannot create data directory"):
        RocksEngine(path)
    with pytest.raises(StorageError, match="cannot create data directory"):
        RocksEngine(path / "below")


def test_second_engine_in_this_process_is_locked_out(engine: RocksEngine, path: Path) -> None:
    with pytest.raises(DataDirLockedError, match=str(path)):
        RocksEngine(path)


def test_second_process_is_locked_out(engine: RocksEngine, path: Path) -> None:
    script = (
        "import sys\n"
        "from raftkv.errors import DataDirLockedError\n"
        "from raftkv.storage.rocks import RocksEngine\n"
        "try: RocksEngine(sys.argv[1])\n"
        "except DataDirLockedError as error: print(error)"
    )
    with child(script, str(path)) as process:
        output, _ = process.communicate(timeout=60)
    assert output == f"data directory {path} is in use by another process\n"


def test_close_unlocks_even_with_views_and_staged_rows(path: Path) -> None:
    engine = RocksEngine(path)
    view = engine.view()
    engine.stage().add(Table.LIVE, [(b"k", b"v")])
    engine.close()
    with pytest.raises(StorageError, match="released"):
        view.get(Table.LIVE, b"k")
    RocksEngine(path).close()


def test_later_format_is_refused(path: Path) -> None:
    RocksEngine(path).close()
    options = Options(raw_mode=True)
    families = {name: Options(raw_mode=True) for name in Rdict.list_cf(str(path), options) if name != "default"}
    database = Rdict(str(path), options=options, column_families=families)
    database[b"format"] = b"2"
    database.close()
    del database
    with pytest.raises(StorageError, match="has format b'2'"):
        RocksEngine(path)


def test_sizes_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="block_cache_bytes"):
        RocksOptions(block_cache_bytes=1)
    with pytest.raises(ConfigError, match="write_buffer_bytes"):
        RocksOptions(write_buffer_bytes=1)
    with pytest.raises(ConfigError, match="wal_bytes"):
        RocksOptions(wal_bytes=1 << 20)


# --- killed and torn ------------------------------------------------------------------------------------------------


def test_killed_process_loses_nothing_that_was_written_before_a_sync(path: Path) -> None:
    script = (
        "import sys, time\n"
        "from raftkv.storage.engine import Batch, Table\n"
        "from raftkv.storage.rocks import RocksEngine\n"
        "engine = RocksEngine(sys.argv[1])\n"
        "for number in range(100):\n"
        "    batch = Batch()\n"
        "    batch.put(Table.LIVE, b'%03d' % number, b'v')\n"
        "    engine.write(batch, sync=number % 10 == 9)\n"
        "print('written', flush=True)\n"
        "sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert keys_of_image(path) == [b"%03d" % number for number in range(100)]


def newest_wal(path: Path) -> Path:
    return max(path.glob("*.log"), key=lambda file: (file.stat().st_size > 0, file.name))


@pytest.fixture
def ends(engine: RocksEngine, path: Path) -> list[int]:
    """Writes thirty rows, `00` to `29`, of a thousand bytes without a zero. Where the log ended after each."""
    ends = []
    for number in range(30):
        write(engine, b"%02d" % number, sync=True, value=bytes([number + 1]) * 1000)
        ends.append(newest_wal(path).stat().st_size)
    return ends


def damaged(path: Path, name: str, damage: Callable[[bytearray], object]) -> Path:
    """An image whose log `damage` has changed."""
    copy = image(path, name)
    wal = newest_wal(copy)
    data = bytearray(wal.read_bytes())
    damage(data)
    wal.write_bytes(data)
    return copy


def rows(count: int) -> list[bytes]:
    return [b"%02d" % number for number in range(count)]


def test_torn_end_of_the_log_leaves_a_prefix(path: Path, ends: list[int]) -> None:
    for lost in (1, 6, 500, 1000, ends[29] - ends[28] - 1):
        copy = image(path, f"torn{lost}")
        os.truncate(newest_wal(copy), ends[29] - lost)
        assert keys_of_image(copy) == rows(29)
    copy = image(path, "between")
    os.truncate(newest_wal(copy), ends[19])
    assert keys_of_image(copy) == rows(20)


def test_torn_end_of_zeros_leaves_a_prefix(path: Path, ends: list[int]) -> None:
    for first, left in ((ends[28] + 1, 29), (ends[28] + 300, 29), (ends[20] + 400, 21)):
        copy = image(path, f"zeros{first}")
        wal = newest_wal(copy)
        wal.write_bytes(wal.read_bytes()[:first] + bytes(50_000))
        for _ in range(2):
            assert keys_of_image(copy) == rows(left)


def test_torn_end_that_was_never_a_record_is_ignored(path: Path, ends: list[int]) -> None:
    copy = damaged(path, "noise", lambda data: data.extend(b"\x01\x02\x03\x04\xff\x7f\x01noise"))
    assert keys_of_image(copy) == rows(30)


@pytest.mark.parametrize("place", ["payload", "length", "checksum", "type", "first", "last"])
def test_flipped_bit_inside_the_log_is_refused_not_cut_off(path: Path, ends: list[int], place: str) -> None:
    record = ends[20]
    offset = {
        "payload": record + 300,
        "length": record + 5,
        "checksum": record,
        "type": record + 6,
        "first": 30,
        "last": ends[29] - 100,
    }[place]
    copy = damaged(path, "flipped", lambda data: data.__setitem__(offset, data[offset] ^ 0x40))
    for _ in range(2):
        with pytest.raises(StorageError, match="Corruption"):
            RocksEngine(copy)


def test_missing_sector_inside_the_log_is_refused(path: Path, ends: list[int]) -> None:
    copy = damaged(path, "hole", lambda data: data.__setitem__(slice(8192, 8704), bytes(512)))
    with pytest.raises(StorageError, match="Corruption"):
        RocksEngine(copy)


def test_torn_log_file_before_another_one_makes_no_hole(engine: RocksEngine, path: Path, ends: list[int]) -> None:
    engine._database[b"begin"] = b"a new log file"
    engine._database.flush()
    write(engine, b"behind", sync=True)
    copy = image(path, "hole")
    logs = sorted(file for file in copy.glob("*.log") if file.stat().st_size)
    assert len(logs) == 2
    os.truncate(logs[0], ends[28] + 500)
    with pytest.raises(StorageError, match="ahead of WALs"):
        RocksEngine(copy)


def test_damaged_table_file_is_an_error_not_an_end(path: Path) -> None:
    engine = RocksEngine(path)
    write(engine, *(b"%06d" % number for number in range(20_000)))
    engine._families.tables[Table.LIVE].flush()
    engine.close()
    table = max(path.glob("*.sst"), key=lambda file: file.stat().st_size)
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(data)
    engine = RocksEngine(path)
    view = engine.view()
    for reader in (engine, view):
        for reverse in (False, True):
            with pytest.raises(StorageError, match="Corruption"):
                list(reader.scan(Table.LIVE, reverse=reverse))
    with pytest.raises(StorageError, match="Corruption"):
        [engine.get(Table.LIVE, b"%06d" % number) for number in range(20_000)]
    with pytest.raises(StorageError, match="Corruption"):
        [view.get(Table.LIVE, b"%06d" % number) for number in range(20_000)]
    engine.close()


def test_failed_write_is_the_last_one(path: Path) -> None:
    script = (
        "import resource, signal, sys\n"
        "from raftkv.errors import StorageError\n"
        "from raftkv.storage.engine import Batch, Table\n"
        "from raftkv.storage.rocks import RocksEngine\n"
        "def attempt(size):\n"
        "    batch = Batch()\n"
        "    batch.put(Table.LIVE, b'%d' % size, bytes(size))\n"
        "    try: engine.write(batch, sync=True); print('ok')\n"
        "    except StorageError as error: print('failed:', error)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "engine = RocksEngine(sys.argv[1])\n"
        "attempt(1)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "attempt(200_000)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "attempt(2)\n"
        "engine.close()"
    )
    with child(script, str(path)) as process:
        output, _ = process.communicate(timeout=60)
    first, second, third = output.splitlines()
    assert first == "ok"
    assert second.startswith("failed: cannot write: IO error")
    assert third.startswith("failed: no writes after a failed one")
    assert keys_of_image(path) == [b"1"]


def test_scans_stay_in_their_range_while_others_come_and_go(engine: RocksEngine) -> None:
    write(engine, *(b"%04d" % number for number in range(1000)))
    chance = random.Random(3)
    open_scans = []
    for _ in range(500):
        low, high = sorted((chance.randrange(1000), chance.randrange(1000)))
        open_scans.append((low, high, engine.scan(Table.LIVE, b"%04d" % low, b"%04d" % high)))
        if len(open_scans) > 20:
            low, high, scan = open_scans.pop(chance.randrange(20))
            assert [key for key, _ in scan] == [b"%04d" % number for number in range(low, high)]


def test_view_is_of_one_moment_while_another_thread_writes(engine: RocksEngine) -> None:
    tables = [table for table in Table if table.replicated]

    def write_all() -> None:
        for number in range(3000):
            engine.write(Batch({table: {b"k": b"%d" % number} for table in tables}), sync=False)

    writer = threading.Thread(target=write_all)
    writer.start()
    seen = set()
    while writer.is_alive():
        view = engine.view()
        values = [view.get(table, b"k") for table in tables]
        values += [next(view.scan(table), (b"k", None))[1] for table in tables]
        assert len(set(values)) == 1
        seen.add(values[0])
        view.release()
    writer.join()
    assert seen


# --- receiving a snapshot, killed anywhere --------------------------------------------------------------------------


def state_of_image(path: Path) -> tuple[list[bytes], bytes | None, list[str]]:
    engine = RocksEngine(path)
    found = keys(engine), engine.get(Table.META, b"start")
    engine.close()
    return *found, sorted(name for name in Rdict.list_cf(str(path), Options(raw_mode=True)) if "live" in name)


def test_kill_while_receiving_a_snapshot_leaves_the_old_state_or_the_new(engine: RocksEngine, path: Path) -> None:
    old, new = ([b"old"], b"1", ["live.0"]), ([b"new", b"newer"], b"2", ["live.1"])
    batch = Batch()
    batch.put(Table.LIVE, b"old", b"v")
    batch.put(Table.META, b"start", b"1")
    engine.write(batch, sync=True)
    staging = engine.stage()
    images = {"staged": old}
    image(path, "staged")
    for key in (b"new", b"newer"):
        staging.add(Table.LIVE, [(key, b"v")])
        images["added" + key.decode()] = old
        image(path, "added" + key.decode())
    batch = Batch()
    batch.put(Table.META, b"start", b"2")
    staging.commit(batch)
    images["committed"] = new
    image(path, "committed")
    for name, expected in images.items():
        assert state_of_image(path.with_name(name)) == expected


@pytest.fixture
def drop_images(engine: RocksEngine, path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Images taken just before the engine drops a column family, one for each."""
    images: list[Path] = []
    database = engine._database

    class Database:
        def __getattr__(self, name: str) -> object:
            return getattr(database, name)

        def drop_column_family(self, name: str) -> None:
            images.append(image(path, f"drop{len(images)}"))
            database.drop_column_family(name)

    monkeypatch.setattr(engine, "_database", Database())
    return images


def replace_state(engine: RocksEngine) -> None:
    write(engine, b"old", sync=True)
    staging = engine.stage()
    staging.add(Table.LIVE, [(b"new", b"v")])
    staging.commit(Batch())


def test_kill_between_commit_and_the_drop_of_the_old_state(engine: RocksEngine, drop_images: list[Path]) -> None:
    replace_state(engine)
    assert len(drop_images) == sum(table.replicated for table in Table)
    for copy in drop_images:
        assert state_of_image(copy) == ([b"new"], None, ["live.1"])


def test_power_loss_before_the_commit_is_synced_leaves_the_old_state(engine: RocksEngine, drop_images: list[Path]) -> None:
    replace_state(engine)
    # The row that makes the snapshot current is the last one in the log; it is torn.
    wal = newest_wal(drop_images[0])
    os.truncate(wal, wal.stat().st_size - 1)
    assert state_of_image(drop_images[0]) == ([b"old"], None, ["live.0"])
