"""Who this node is: as its data says, or as a cluster that is founded or joined makes it."""

from collections.abc import Sequence

import structlog

from raftkv.config import ServerConfig
from raftkv.daemon.flags import ready_for_use
from raftkv.errors import ConfigError
from raftkv.pb.rpc import Member
from raftkv.peer.joining import ask_to_join
from raftkv.server.bootstrap import (
    cluster_id,
    find_newcomer,
    first_members,
    force_new_cluster,
    found_cluster,
    join_cluster,
    member_id,
)
from raftkv.storage.engine import Engine
from raftkv.storage.identity import Identity, read_identity
from raftkv.tls import ClientTLS

log = structlog.get_logger(__name__)


async def identify(engine: Engine, config: ServerConfig) -> Identity:
    """Who this node is: as its data says, or, where there is none, as a first member of a new cluster or one added to another.

    Raises:
        ConfigError: there is no data, and nobody who would make this node a member.
    """
    found = read_identity(engine)
    if found is not None:
        if config.force_new_cluster:
            log.warning("making this node the only member of its cluster", member=f"{found.node_id:x}")
            force_new_cluster(engine, found)
        return found
    if config.force_new_cluster:
        raise ConfigError(f"--force-new-cluster: {config.directory} holds no data of a member to go on with")
    if config.initial_cluster_state != "new":
        return await join(engine, config)
    members = first_members(config.members, config.initial_cluster_token)
    own = member_id((str(url) for url in config.peer_urls), config.initial_cluster_token)
    identity = Identity(cluster_id(members), own, config.name)
    found_cluster(engine, identity, list(members.values()))
    return identity


async def join(engine: Engine, config: ServerConfig) -> Identity:
    """Asks the members of --initial-cluster which of them this node, which was added, is to be."""
    settings = ready_for_use(config.peer_tls, config)
    tls = ClientTLS(settings).context if settings else None
    mine = [str(url) for url in config.peer_urls]
    others = [url for urls in config.members.values() for url in urls if url not in mine]

    def choose(members: Sequence[Member]) -> Member:
        return find_newcomer(mine, config.members, members)

    found = await ask_to_join(others, tls, choose)
    identity = Identity(found.cluster_id, found.own.ID, config.name)
    join_cluster(engine, identity, found.members)
    return identity
