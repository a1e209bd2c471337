"""Clients that watch: they begin now, in the past or in the future, resume elsewhere when a node lets them down, ask for progress, and
at times do not collect what they are sent.
"""

import asyncio
from typing import Any

from raftkv.pb import kv, rpc
from raftkv_chaos.sim.calls import Stream
from raftkv_chaos.sim.clients.client import Client
from raftkv_chaos.sim.clients.keys import PREFIX, PREFIX_END
from raftkv_chaos.sim.translation import Fields, data, row, text

WATCH = "/etcdserverpb.Watch/Watch"
STAYS_S = 6.0
"""About how long a client keeps a stream that works."""


class Watcher(Client):
    """One stream after the other, with a few watches on each."""

    kind = "watch"
    streams = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen = 0
        """The last revision that any watch of the whole prefix has told of."""
        self._names: dict[int, str] = {}
        self._waiting: list[str] = []

    async def run(self) -> None:
        while self.busy:
            await asyncio.sleep(self.dice.expovariate(1 / self.traffic.think_s))
            life = self.target().life
            if life is None or life.replica.is_learner:
                self.let_down()
                continue
            await self._watch(life)

    async def _watch(self, life: Any) -> None:
        self.streams += 1
        self._name = f"stream {self.number}.{self.streams}"
        self._names, self._waiting = {}, []
        stream = Stream(self.caller, life, WATCH, self._told)
        for number in range(self.dice.randint(1, 3)):
            self._create(stream, number)
        try:
            await self._linger(stream)
        finally:
            stream.close()
            self._give_up()

    def _give_up(self) -> None:
        """Nothing more will come of these watches."""
        for watch_id in self._names:
            self._note({"kind": "cancelled", "watch_id": watch_id})
        self._names = {}

    async def _linger(self, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self.dice.expovariate(1 / STAYS_S)
        while stream.open and (loop.time() < until or not self.busy):
            await asyncio.wait([stream.ended], timeout=self.dice.uniform(0.1, 0.6))
            roll = self.dice.random()
            if not self.busy:
                stream.collect_again()
            elif roll < 0.15:
                stream.stalled = True
            elif stream.stalled:
                stream.collect_again()
            elif roll < 0.3:
                stream.ask(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))
            elif roll < 0.35 and self._names:
                watch_id = self.dice.choice(sorted(self._names))
                stream.ask(rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=watch_id)))
        if not stream.open:
            self.let_down()

    def _create(self, stream: Stream, number: int) -> None:
        dice = self.dice
        whole = number == 0 or dice.random() < 0.5
        begin = (PREFIX, PREFIX_END) if whole else (f"{PREFIX}{dice.randrange(self.traffic.keys)}", "")
        start = self.seen + 1 if number == 0 and self.seen else dice.choice((0, 0, max(1, self.seen + dice.randint(-20, 8))))
        filters = dice.choice(((), (), ("noput",), ("nodelete",)))
        asked: Fields = {
            "kind": "create",
            "watch": f"{self._name}/{number}",
            "key": begin[0],
            "range_end": begin[1],
            "start_revision": start,
            "prev_kv": dice.random() < 0.5,
            "filters": filters,
            "fragment": dice.random() < 0.3,
        }
        self.recorder.note("receive", self._name, "watch", asked)
        self._waiting.append(asked["watch"])
        numbers = {"noput": rpc.WatchCreateRequest.NOPUT, "nodelete": rpc.WatchCreateRequest.NODELETE}
        create = rpc.WatchCreateRequest(
            key=data(begin[0]),
            range_end=data(begin[1]),
            start_revision=start,
            prev_kv=asked["prev_kv"],
            filters=[numbers[each] for each in filters],
            fragment=asked["fragment"],
            progress_notify=dice.random() < 0.5,
        )
        stream.ask(rpc.WatchRequest(create_request=create))

    def _told(self, message: bytes) -> None:
        response = rpc.WatchResponse.FromString(message)
        revision = response.header.revision
        fields: Fields = {"watch_id": response.watch_id, "revision": revision}
        if response.created:
            name = self._waiting.pop(0)
            self._names[response.watch_id] = name
            self._note({"kind": "created", "watch": name, **fields})
        elif response.canceled:
            self._names.pop(response.watch_id, None)
            self._note({"kind": "cancelled", **fields, "compact_revision": response.compact_revision})
            if response.compact_revision:
                self.seen = max(self.seen, response.compact_revision)
        elif response.events:
            self._note(
                {"kind": "events", **fields, "fragment": response.fragment, "events": [_event(e) for e in response.events]}
            )
            if self._names.get(response.watch_id, "").endswith("/0"):
                self.seen = max(self.seen, response.events[-1].kv.mod_revision - response.fragment)
        elif response.watch_id == -1:
            for watch_id in self._names:  # it speaks for all of them
                self._note({"kind": "progress", "watch_id": watch_id, "revision": revision})
        else:
            self._note({"kind": "progress", **fields})

    def _note(self, fields: Fields) -> None:
        self.recorder.note("receive", self._name, "watch", fields)


def _event(event: kv.Event) -> list[Any]:
    kind = "put" if event.type == kv.Event.PUT else "delete"
    key_value = event.kv
    previous = list(row(event.prev_kv)) if event.HasField("prev_kv") else None
    rest = [key_value.create_revision, key_value.mod_revision, key_value.version, key_value.lease, previous]
    return [kind, text(key_value.key), text(key_value.value), *rest]
