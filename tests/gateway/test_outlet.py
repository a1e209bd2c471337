"""What waits for a reader of the gateway, or for a handler of this node."""

import pytest

from raftkv.errors import UnavailableError
from raftkv.gateway.outlet import GatewayOutlet
from raftkv.pb import rpc
from raftkv.rpc.news import News


async def test_what_an_abandoned_reader_of_the_gateway_has_not_taken_is_forgotten() -> None:
    outlet = GatewayOutlet()
    outlet.send(b"1")
    outlet.abandon()
    assert outlet.backlog == 0
    with pytest.raises(UnavailableError):
        await outlet.take()


async def test_a_handler_that_is_abandoned_hears_of_it() -> None:
    news = News()
    news.send(rpc.WatchResponse(watch_id=1).SerializeToString())
    news.abandon()
    assert news.backlog == 0
    with pytest.raises(UnavailableError):
        await news.next()
