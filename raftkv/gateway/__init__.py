"""HTTP/1.1 on the clients' port: etcd's JSON gateway, health, version and metrics, on aiohttp."""
