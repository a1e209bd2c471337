"""Who is taken into a world, and as which rank."""

from hypothesis import given
from hypothesis import strategies as st

from raftkv.pb.rendezvous import NATURAL, STABLE, TOPOLOGY
from raftkv.rendezvous.ranks import NO_LAST, Candidate, Last, assign, choose, natural


def last(*nodes: str, segments: list[tuple[str, ...]] | None = None) -> Last:
    return Last({node: rank for rank, node in enumerate(nodes)}, segments or [()] * len(nodes))


def new(*nodes: str, segments: tuple[str, ...] = ()) -> list[Candidate]:
    return [Candidate(node, segments) for node in nodes]


def back(*nodes: str, segments: tuple[str, ...] = ()) -> list[Candidate]:
    return [Candidate(node, segments, survivor=True) for node in nodes]


def names(candidates: list[Candidate]) -> list[str]:
    return [candidate.node for candidate in candidates]


def test_names_sort_as_people_count() -> None:
    unsorted = ["node-10", "node-9", "node-9a", "10", "node-", "9"]
    assert sorted(unsorted, key=natural) == ["9", "10", "node-", "node-9", "node-9a", "node-10"]


def test_survivors_are_taken_before_those_who_came_earlier() -> None:
    assert names(choose([*new("x", "y"), *back("b", "a")], last("a", "b", "c"), 3)) == ["a", "b", "x"]


def test_hole_is_filled_from_its_own_segment() -> None:
    before = last("a", "b", "c", segments=[("r1",), ("r1",), ("r2",)])
    ready = [*new("x", segments=("r2",)), *new("y", segments=("r1",)), *back("a"), *back("c")]
    chosen = choose(ready, before, 3)
    assert names(assign(chosen, before, STABLE)) == ["a", "y", "c"]


def test_nearest_segment_is_the_one_with_the_longest_common_path() -> None:
    before = last("a", "b", segments=[("r1", "s1", "n1"), ("r1", "s1", "n2")])
    ready = [
        *new("far", segments=("r2", "s9", "n9")),
        *new("rack", segments=("r1", "s2", "n3")),
        *new("switch", segments=("r1", "s1", "n4")),
        *back("a"),
    ]
    assert names(choose(ready, before, 2)) == ["a", "switch"]


def test_stable_ranks_move_only_the_last_where_the_world_shrinks() -> None:
    chosen = back("a", "c", "d")
    assert names(assign(chosen, last("a", "b", "c", "d"), STABLE)) == ["a", "d", "c"]


def test_node_that_was_started_anew_has_its_old_rank() -> None:
    assert names(assign([*new("b"), *back("a", "c")], last("a", "b", "c"), STABLE)) == ["a", "b", "c"]


def test_natural_order_goes_by_slot_then_by_name() -> None:
    chosen = [Candidate("n10"), Candidate("n9"), Candidate("z", slot=2), Candidate("y", slot=1)]
    assert names(assign(chosen, last("n10"), NATURAL)) == ["y", "z", "n9", "n10"]


def test_topology_puts_segments_side_by_side_in_their_old_order() -> None:
    chosen = [
        Candidate("a2", ("r2", "s1")),
        Candidate("b1", ("r1", "s2")),
        Candidate("a1", ("r1", "s1")),
        Candidate("c1", ("r1", "s2")),
    ]
    assert names(assign(chosen, NO_LAST, TOPOLOGY)) == ["a1", "b1", "c1", "a2"]
    assert names(assign(chosen, last("a2", "a1"), TOPOLOGY)) == ["a2", "a1", "b1", "c1"]


NODES = st.lists(st.sampled_from([f"n{number}" for number in range(12)]), unique=True, max_size=10)
PATHS = st.lists(st.sampled_from(["r1", "r2"]), max_size=2).map(tuple)


@given(st.data(), NODES, NODES, st.integers(1, 8), st.sampled_from([STABLE, NATURAL, TOPOLOGY]))
def test_world_is_full_of_distinct_nodes_and_stable_ranks_stay(
    data: st.DataObject, before: list[str], ready: list[str], limit: int, order: int
) -> None:
    old = Last({node: rank for rank, node in enumerate(before)}, [data.draw(PATHS) for _ in before])
    candidates = [Candidate(node, data.draw(PATHS), survivor=node in old.ranks and data.draw(st.booleans())) for node in ready]
    chosen = choose(candidates, old, limit)
    world = names(assign(chosen, old, order))  # type: ignore[arg-type] # an enum's value
    survivors = [candidate.node for candidate in candidates if candidate.survivor]
    assert len(world) == len(set(world)) == min(limit, len(ready))
    assert len(set(survivors) & set(world)) == min(limit, len(survivors))
    if order == STABLE:
        for node in world:
            rank = old.ranks.get(node, limit)
            assert rank >= len(world) or world[rank] == node
