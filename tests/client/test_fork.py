"""Data loaders fork while the parent's client is connected. Each side has to have connections of its own.

The programs run as processes of their own, with warnings as errors: this one has threads that do not survive a fork.
"""

import subprocess
import sys
from textwrap import dedent

import pytest


def run(program: str) -> str:
    """What the program prints; it must end well and complain of nothing."""
    command = [sys.executable, "-W", "error", "-c", dedent(program)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (result.stderr, result.returncode) == ("", 0)
    return result.stdout


def test_blocking_client_works_on_both_sides_of_a_fork(endpoint: str, prefix: str) -> None:
    output = run(f"""
        import multiprocessing, os, threading
        from raftkv.client import BlockingClient

        context = multiprocessing.get_context("fork")
        client = BlockingClient({endpoint!r}, timeout=30.0)

        def load(worker):
            for number in range(20):
                client.put(f"{prefix}{{worker}}/{{number}}", str(os.getpid()))
            assert client.range(f"{prefix}{{worker}}/", prefix=True, count_only=True).count == 20
            queue.put(client._client._session._ids._client)

        client.put("{prefix}parent", "0")
        mine = client._client._session
        queue = context.SimpleQueue()
        workers = [context.Process(target=load, args=(number,)) for number in range(4)]
        for worker in workers:
            worker.start()
        for number in range(50):
            client.put("{prefix}parent", str(number))
        ids = {{queue.get() for _ in workers}}
        for worker in workers:
            worker.join()
        assert client._client._session is mine, "the parent kept its connections"
        assert len(ids) == 4 and mine._ids._client not in ids, "each process has a client id of its own"
        print([worker.exitcode for worker in workers], client.get("{prefix}parent").version)
    """)
    assert output == "[0, 0, 0, 0] 51\n"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_asyncio_client_works_on_both_sides_of_a_fork(endpoint: str, prefix: str, loop: str) -> None:
    output = run(f"""
        import asyncio, multiprocessing, {loop}
        from raftkv.client import Client

        context = multiprocessing.get_context("fork")
        client = Client({endpoint!r}, timeout=30.0)

        async def use(key):
            for number in range(20):
                await client.put("{prefix}" + key, str(number))
            return (await client.get("{prefix}" + key)).version

        async def use_and_close(key):
            async with client:
                return await use(key)

        def run(coroutine):
            with asyncio.Runner(loop_factory={loop}.new_event_loop) as runner:
                return runner.run(coroutine)

        def load():
            versions.put(run(use_and_close("child")))

        async def main():
            await use("parent")
            worker = context.Process(target=load)
            worker.start()
            print(await use("parent"))
            await asyncio.to_thread(worker.join)
            print(versions.get(), worker.exitcode)
            print(await use("parent"))
            await client.close()

        versions = context.SimpleQueue()
        run(main())
    """)
    assert output == "40\n20 0\n60\n"


def test_child_lets_go_of_the_parents_connection(endpoint: str) -> None:
    """So that the server sees the parent's end when it comes, however long the child lives."""
    run(f"""
        import os
        from raftkv.client import BlockingClient, forked

        client = BlockingClient({endpoint!r})
        client.status()
        (connection,) = forked._REGISTRY.open
        number = connection.raw_socket.fileno()
        child = os.fork()
        if child == 0:
            try:
                os.fstat(number)
            except OSError:
                os._exit(client.status().version != "")
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        client.status()
        assert set(forked._REGISTRY.open) == {{connection}}
    """)


@pytest.mark.parametrize("used_by_the_child", ["", "client.status()"])
def test_child_that_ends_like_a_program_complains_of_nothing(endpoint: str, used_by_the_child: str) -> None:
    output = run(f"""
        import gc, os, sys
        from raftkv.client import BlockingClient

        client = BlockingClient({endpoint!r})
        client.status()
        child = os.fork()
        if child == 0:
            {used_by_the_child}
            gc.collect()
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        print(bool(client.status().version))
    """)
    assert output == "True\n"


def test_grandchild_starts_afresh_too(endpoint: str) -> None:
    run(f"""
        import os
        from raftkv.client import BlockingClient

        client = BlockingClient({endpoint!r})
        sessions = []
        for generation in range(3):
            client.status()
            sessions.append(client._client._session)
            child = os.fork()
            if child:
                os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        client.status()
        sessions.append(client._client._session)
        os._exit(len(set(sessions)) != 4)
    """)


def test_fork_in_the_middle_of_calls_of_another_thread(endpoint: str, prefix: str) -> None:
    run(f"""
        import os, threading
        from raftkv.client import BlockingClient

        client = BlockingClient({endpoint!r}, timeout=30.0)
        ended = threading.Event()

        def write():
            while not ended.is_set():
                client.put("{prefix}thread", "x")

        thread = threading.Thread(target=write)
        thread.start()
        for number in range(10):
            child = os.fork()
            if child == 0:
                client.put("{prefix}child", str(number))
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        ended.set()
        thread.join()
        assert client.get("{prefix}child").version == 10
    """)


def test_watches_and_leases_stay_with_the_parent(endpoint: str, prefix: str) -> None:
    """A child that leaves the parent's blocks revokes nothing, and may open its own."""
    run(f"""
        import os
        from raftkv.client import BlockingClient, LeaseState
        from raftkv.errors import ClientClosedError

        client = BlockingClient({endpoint!r}, timeout=30.0)
        with client.lease(30) as lease, client.watch("{prefix}k") as watch:
            client.put("{prefix}k", "v", lease=lease.id)
            child = os.fork()
            if child == 0:
                assert lease.state is LeaseState.LOST and not lease.alive and lease.remaining == 0.0
                try:
                    watch.next(timeout=1.0)
                except ClientClosedError:
                    pass
                else:
                    os._exit(3)
                watch.close()
                lease.close()
                with client.lease(30) as own, client.watch("{prefix}k", start_revision=1) as mine:
                    assert own.alive and next(mine).events
                client.close()
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert lease.alive and next(watch).events[0].kv.value == b"v"
            assert client.get("{prefix}k").lease == lease.id
        assert client.get("{prefix}k") is None
        client.close()
    """)
