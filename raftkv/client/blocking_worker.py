"""The blocking twins of a worker and of what it holds. What a training loop calls after each step hops to no other thread."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from signal import SIGTERM, Signals
from types import TracebackType
from typing import Self

from raftkv.client.blocking_iteration import blocking_iterator
from raftkv.client.job_config import JobConfig, Setting
from raftkv.client.loop_thread import loop_thread
from raftkv.client.preemption import Preemption
from raftkv.client.steps import Steps
from raftkv.client.worker import Place, Worker
from raftkv.pb import rendezvous as pb


class BlockingJobConfig:
    """As `JobConfig`."""

    def __init__(self, config: JobConfig) -> None:
        self._config = config

    @property
    def prefix(self) -> str:
        """As JobConfig.prefix."""
        return self._config.prefix

    def get(self, name: str) -> Setting | None:
        """As JobConfig.get."""
        return loop_thread().run(self._config.get(name))

    def all(self) -> dict[str, Setting]:
        """As JobConfig.all."""
        return loop_thread().run(self._config.all())

    def set(self, name: str, value: str, *, revision: int | None = None, token: int = 0) -> int:
        """As JobConfig.set."""
        return loop_thread().run(self._config.set(name, value, revision=revision, token=token))

    def delete(self, name: str, *, revision: int | None = None, token: int = 0) -> None:
        """As JobConfig.delete."""
        loop_thread().run(self._config.delete(name, revision=revision, token=token))

    def watch(self) -> Iterator[dict[str, Setting]]:
        """As JobConfig.watch."""
        return blocking_iterator(self._config.watch())


class BlockingSteps:
    """As `Steps`, for `with`."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __enter__(self) -> Self:
        loop_thread().run(self._steps.open())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        loop_thread().run(self._steps.close())

    def done(self, step: int, *, work_seconds: float | None = None) -> None:
        """As Steps.done."""
        self._steps.done(step, work_seconds=work_seconds)

    def paused(self) -> AbstractContextManager[None]:
        """As Steps.paused."""
        return self._steps.paused()

    @property
    def scores(self) -> pb.HeartbeatResponse:
        """As Steps.scores."""
        return self._steps.scores

    @property
    def over(self) -> bool:
        """As Steps.over."""
        return self._steps.over


class BlockingPreemption:
    """As `Preemption`, for `with`. Signals are caught where it is entered by the main thread."""

    def __init__(self, preemption: Preemption) -> None:
        self._preemption = preemption

    def __enter__(self) -> Self:
        loop_thread().run(self._preemption.open())
        if threading.current_thread() is threading.main_thread():
            self._preemption.catch_signals()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._preemption.release_signals()
        if kind is None:
            loop_thread().run(self._preemption.leave())
        loop_thread().run(self._preemption.close())

    def stop_at(self, step: int) -> bool:
        """As Preemption.stop_at."""
        answer = self._preemption.decided(step)
        return loop_thread().run(self._preemption.stop_at(step)) if answer is None else answer

    @property
    def notice(self) -> pb.Preemption | None:
        """As Preemption.notice."""
        return self._preemption.notice

    def give(self, reason: str) -> None:
        """As Preemption.give."""
        self._preemption.give(reason)


class BlockingWorker:
    """As `Worker`."""

    def __init__(self, worker: Worker) -> None:
        """For `BlockingClient.job` and `BlockingParticipant.worker`."""
        self._worker = worker
        self.config = BlockingJobConfig(worker.config)
        """As Worker.config."""

    @property
    def place(self) -> Place:
        """As Worker.place."""
        return self._worker.place

    def steps(self) -> BlockingSteps:
        """As Worker.steps, for `with`."""
        return BlockingSteps(self._worker.steps())

    def preemption(self, signals: Sequence[Signals] = (SIGTERM,)) -> BlockingPreemption:
        """As Worker.preemption, for `with`."""
        return BlockingPreemption(self._worker.preemption(signals))

    def progress(self, step: int) -> None:
        """As Worker.progress."""
        loop_thread().run(self._worker.progress(step))

    def barrier(self, name: str, *, nodes: Sequence[str] = (), timeout: float | None = None) -> None:
        """As Worker.barrier."""
        loop_thread().run(self._worker.barrier(name, nodes=nodes, timeout=timeout))

    def announce(self, step: int, location: str, data: str = "") -> None:
        """As Worker.announce."""
        loop_thread().run(self._worker.announce(step, location, data))

    def latest(self) -> pb.Checkpoint | None:
        """As Worker.latest."""
        return loop_thread().run(self._worker.latest())
