"""Clients that are no Python packages: grpc-js from npm, nghttp and h2load from Debian's nghttp2-client. `make interop`."""

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from raftkv.http2.framing import framed
from raftkv.pb.rpc import PutRequest
from tests.http2.echo import SERVICE, Echo
from tests.http2.running import LOOPBACK, Running

GRPC_JS = "@grpc/grpc-js@1.14"
GRPC_FIELDS = ("-H", "content-type: application/grpc", "-H", "te: trailers")


async def run(*command: str, cwd: str | None = None) -> str:
    """What a command prints; ends the check where it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed = (await process.communicate())[0].decode()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{printed}\nended with {process.returncode}")
    return printed


async def grpc_js(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(Path(__file__).with_name("interop.js"), folder)
        await run("npm", "install", "--silent", "--no-fund", "--no-audit", GRPC_JS, cwd=folder)
        sys.stdout.write(await run("node", "interop.js", f"{LOOPBACK}:{port}", cwd=folder))


async def nghttp(port: int, body: str) -> None:
    printed = await run("nghttp", "-v", "-d", body, *GRPC_FIELDS, f"http://{LOOPBACK}:{port}{SERVICE}Unary")
    assert "grpc-status: 0" in printed, printed
    assert "hello" in printed, printed
    sys.stdout.write("nghttp: one call\n")


async def h2load(port: int, body: str) -> None:
    where = f"http://{LOOPBACK}:{port}{SERVICE}Later"
    printed = await run("h2load", "-c", "4", "-m", "50", "-n", "40000", "-d", body, *GRPC_FIELDS, where)
    assert "40000 succeeded, 0 failed, 0 errored, 0 timeout" in printed, printed
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", printed)
    sys.stdout.write(f"h2load: 40000 calls, {rate.group(1) if rate else '?'} per second\n")


async def main() -> None:
    running = Running(Echo())
    await running.start()
    with tempfile.NamedTemporaryFile() as body:
        body.write(framed(PutRequest(value=b"hello").SerializeToString()))
        body.flush()
        await nghttp(running.port, body.name)
        await h2load(running.port, body.name)
    await grpc_js(running.port)
    await running.stop()


if __name__ == "__main__":
    for tool in ("node", "npm", "nghttp", "h2load"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is needed: Node.js with npm, and nghttp2-client")
    uvloop.run(main())
