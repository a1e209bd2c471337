"""The package etcd3 at work, as its users use it. Ends with an error where something is not as it should be."""

import sys
import threading

import etcd3  # type: ignore[import-not-found, unused-ignore]  # has an environment of its own

host, _, port = sys.argv[1].rpartition(":")
client = etcd3.client(host=host, port=int(port))

client.put("a/1", "one")
client.put("a/2", "two")
assert client.get("a/1")[0] == b"one"
assert [value for value, _ in client.get_prefix("a/", sort_order="descend")] == [b"two", b"one"]
assert client.replace("a/1", "one", "uno")
assert not client.put_if_not_exists("a/1", "x")
done, answers = client.transaction(
    compare=[client.transactions.value("a/1") == "uno", client.transactions.version("a/2") > 0],
    success=[client.transactions.put("a/3", "three"), client.transactions.get("a/2")],
    failure=[],
)
assert done
assert answers[1][0][0] == b"two"

events, cancel = client.watch_prefix("w/")
client.put("w/1", "one")
client.delete("w/1")
seen = [next(events) for _ in range(2)]
assert [type(event).__name__ for event in seen] == ["PutEvent", "DeleteEvent"]
cancel()

lease = client.lease(10)
client.put("l/1", "one", lease=lease)
assert lease.granted_ttl == 10
assert lease.remaining_ttl > 5
assert lease.keys == [b"l/1"]
assert [answer.TTL for answer in lease.refresh()] == [10]
lease.revoke()
assert client.get("l/1")[0] is None

with client.lock("job", ttl=20) as lock:
    assert lock.is_acquired()
    other = client.lock("job", ttl=20)
    assert not other.acquire(timeout=0.2)
    releasing = threading.Timer(0.2, lock.release)
    releasing.start()
    assert other.acquire(timeout=10)
    releasing.join()
other.release()

assert client.status().version.startswith("3.5.")
assert [member.name for member in client.members] == ["node1"]
client.compact(client.get("a/1")[1].mod_revision)
client.close()
