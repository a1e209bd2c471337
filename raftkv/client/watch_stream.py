"""All watches of a client on one stream: who is which number, what is sent when the stream is new, and who gets what.

Watch ids are chosen here, from 1 upwards, and never used twice on one stream, so what arrives late for a cancelled watch finds
nobody. A refusal comes under the id -1; the server answers creations in order, so it is for the oldest one unanswered.
"""

from collections.abc import Callable

from raftkv.client.method import WATCH_PATH
from raftkv.client.reopening import Reopening, ReopeningStream
from raftkv.client.status import error_of_reason
from raftkv.client.subscription import Subscription, SubscriptionState
from raftkv.errors import ClientClosedError, ConnectError, RaftKVError, WatchCompactedError
from raftkv.pb import rpc

ALL_WATCHES = -1
"""The id of an answer to a request for progress; with `created`, that of a refusal."""


class WatchStream:
    """The watches of one session. `Carried` by a stream that is open while there is a watch."""

    def __init__(self, means: Reopening) -> None:
        self._stream = ReopeningStream(WATCH_PATH, self, means)
        self._wait_for_ready = means.wait_for_ready
        self._renew = means.renew
        self._watches: dict[int, Subscription] = {}
        """By id: those that the present stream knows."""
        self._all: dict[Subscription, None] = {}
        """In the order of their beginning."""
        self._unanswered: dict[int, None] = {}
        self._last_id = 0
        self._wants_progress = False
        self._closed = False
        self.last_failure: RaftKVError | None = None
        """Why the stream was last interrupted; None once it works again."""

    # --- for watches

    def begin(self, subscription: Subscription) -> None:
        """Creates the watch, and again whenever the stream is new."""
        if self._closed:
            raise ClientClosedError
        self._all[subscription] = None
        if self._stream.is_open:
            self._create(subscription)
        else:
            self._stream.keep_open()

    def end(self, subscription: Subscription) -> None:
        """Cancels the watch; idempotent."""
        if subscription not in self._all:
            return
        del self._all[subscription]
        self._cancel(subscription)
        subscription.end(None)
        if not self._all:
            self._stream.release()

    def resume(self, subscription: Subscription) -> None:
        """A watch that lagged has room again."""
        if self._stream.is_open:
            self._create(subscription)

    def request_progress(self) -> None:
        """Asks how far all watches are; as soon as there is a stream, where there is none."""
        self._wants_progress = True
        self._send_progress_request()

    def close(self) -> None:
        """Ends all watches with ClientClosedError."""
        self._closed = True
        self.failed(ClientClosedError())

    # --- Carried

    @property
    def wanted(self) -> bool:
        return bool(self._all)

    def opened(self) -> None:
        self._watches.clear()
        self._unanswered.clear()
        self._last_id = 0
        for subscription in self._all:
            subscription.watch_id = 0
            if subscription.state is not SubscriptionState.LAGGING:
                subscription.state = SubscriptionState.WAITING
                self._create(subscription)
        self._send_progress_request()

    def received(self, message: bytes) -> None:
        response = rpc.WatchResponse.FromString(message)
        self.last_failure = None
        if response.created:
            self._answered(response)
        elif response.watch_id == ALL_WATCHES:
            for subscription in self._watches.values():
                if subscription.state is SubscriptionState.LIVE:
                    subscription.progress(response.header, certain=False)
        elif addressee := self._watches.get(response.watch_id):
            self._deliver(addressee, response, len(message))

    def interrupted(self, error: RaftKVError) -> None:
        self.last_failure = error
        if isinstance(error, ConnectError) and not self._wait_for_ready:
            self._end_where(error, lambda subscription: not subscription.established.is_set())

    def failed(self, error: RaftKVError) -> None:
        self._watches.clear()
        self._end_where(error, lambda _: True)

    # --- one watch

    def _create(self, subscription: Subscription) -> None:
        self._last_id += 1
        self._watches[self._last_id] = subscription
        self._unanswered[self._last_id] = None
        request = rpc.WatchRequest(create_request=subscription.request(self._last_id))
        self._stream.send(request.SerializeToString())

    def _cancel(self, subscription: Subscription) -> None:
        """At the server; what it has sent meanwhile finds nobody."""
        if self._watches.pop(subscription.watch_id, None) is not None:
            request = rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=subscription.watch_id))
            self._stream.send(request.SerializeToString())
            subscription.watch_id = 0

    def _answered(self, response: rpc.WatchResponse) -> None:
        """The answer to a creation."""
        watch_id = response.watch_id if response.watch_id in self._unanswered else next(iter(self._unanswered), 0)
        self._unanswered.pop(watch_id, None)
        subscription = self._watches.get(watch_id)
        if subscription is None:
            return
        if response.canceled:
            self._cancelled(subscription, response)
        else:
            subscription.created(response.header)

    def _deliver(self, subscription: Subscription, response: rpc.WatchResponse, size: int) -> None:
        if response.canceled:
            self._cancelled(subscription, response)
        elif subscription.full:
            self._cancel(subscription)
            subscription.state = SubscriptionState.LAGGING
        elif response.events:
            subscription.take(response, size)
        else:
            subscription.progress(response.header, certain=True)

    def _cancelled(self, subscription: Subscription, response: rpc.WatchResponse) -> None:
        """By the server: for good, and without having been asked."""
        compacted = response.compact_revision
        error = WatchCompactedError(compacted) if compacted else error_of_reason(response.cancel_reason)
        if self._renew(error):  # the next stream says anew who we are
            self._stream.abandon()
            return
        self._watches.pop(subscription.watch_id, None)
        self._all.pop(subscription, None)
        subscription.end(error)
        if not self._all:
            self._stream.release()

    def _send_progress_request(self) -> None:
        if self._wants_progress and self._stream.is_open:
            self._wants_progress = False
            request = rpc.WatchRequest(progress_request=rpc.WatchProgressRequest())
            self._stream.send(request.SerializeToString())

    def _end_where(self, error: RaftKVError, chosen: Callable[[Subscription], bool]) -> None:
        for subscription in [one for one in self._all if chosen(one)]:
            del self._all[subscription]
            subscription.end(error)
