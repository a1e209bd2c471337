"""The test suite as a finder, for what needs no luck: there is nothing random in it, so its only seed is 0."""

import pytest


class _Failures:
    """Notes which test failed first, and why."""

    def __init__(self) -> None:
        self.first = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.first:
            self.first = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.first:
            self.first = f"{report.nodeid} (cannot be imported)"


def find(path: str, seed: int) -> None:  # noqa: ARG001 (a finder takes a seed)
    """Runs the tests of a file or folder up to the first failure."""
    failures = _Failures()
    arguments = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=no", path]
    status = pytest.main(arguments, plugins=[failures])
    assert status == pytest.ExitCode.OK, failures.first or f"pytest ends with {status}"
