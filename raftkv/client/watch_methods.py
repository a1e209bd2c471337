"""The methods of the client about watches."""

from raftkv.client.part import ClientPart
from raftkv.client.request import Data, watch_request
from raftkv.client.watch import Watch


class WatchMethods(ClientPart):
    """A part of `Client`."""

    def watch(
        self,
        key: Data,
        range_end: Data | None = None,
        *,
        prefix: bool = False,
        from_key: bool = False,
        start_revision: int = 0,
        prev_kv: bool = False,
        puts: bool = True,
        deletes: bool = True,
        progress_notify: bool = False,
        timeout: float | None = None,
    ) -> Watch:
        """The changes of a range of keys (as in `range`), for `async with` and `async for`.

        Args:
            key: The first key.
            range_end: The key after the last; None: `key` alone.
            prefix: All keys that start with `key`.
            from_key: All keys from `key` on.
            start_revision: The first revision whose changes are wanted; 0: from now on.
            prev_kv: With each event, what was there before.
            puts: Say what is put.
            deletes: Say what is deleted.
            progress_notify: While nothing happens, say every now and then up to which revision nothing has.
            timeout: Seconds that opening it may take; reading takes as long as it takes.
        """
        create = watch_request(
            key,
            range_end,
            prefix=prefix,
            from_key=from_key,
            start_revision=start_revision,
            prev_kv=prev_kv,
            puts=puts,
            deletes=deletes,
            progress_notify=progress_notify,
        )
        return Watch(self._live, create, timeout=self._timeout if timeout is None else timeout)
