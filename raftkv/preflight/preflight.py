"""Runs checks, all at once, each on a thread of its own and no longer than it may take."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace

from raftkv.preflight.check import Check, Finding

GRACE_S = 5.0
"""Checks keep their own time; one that is stuck in the kernel, as on a dead file server, is left behind after this much more."""


async def run_checks(checks: Sequence[Check], *, grace_s: float = GRACE_S) -> list[Finding]:
    """What each of them found, in their order."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_run(check, grace_s)) for check in checks]
    return [task.result() for task in running]


def failures(findings: Sequence[Finding]) -> list[str]:
    """What did not pass, a line each."""
    return [f"{finding.check}: {finding.text}" for finding in findings if not finding.passed]


async def _run(check: Check, grace_s: float) -> Finding:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    found: asyncio.Future[Finding] = loop.create_future()

    def tell(finding: Finding) -> None:
        if not found.done():
            found.set_result(finding)

    def look() -> None:
        finding = check.look()
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, finding)

    # Not one of the loop's threads: a process waits for those when it ends, and this one may be stuck.
    threading.Thread(target=look, name=check.name, daemon=True).start()
    try:
        async with asyncio.timeout(check.timeout_s + grace_s):
            finding = await found
    except TimeoutError:
        finding = Finding(check.name, passed=False, text=f"took longer than {check.timeout_s:g} s")
    return replace(finding, seconds=loop.time() - begun)
