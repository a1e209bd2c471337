from raftkv.client.keepalive import MIN_PING_INTERVAL_S, Keepalive, Verdict


def keepalive() -> Keepalive:
    return Keepalive(now=100.0, after=1.0, timeout=2.0)


def test_server_is_pinged_after_silence() -> None:
    watched = keepalive()
    assert watched.look(100.4) == (Verdict.WAIT, 101.0 - 100.4)
    assert watched.look(101.0) == (Verdict.PING, 2.0)


def test_server_that_speaks_is_left_alone() -> None:
    watched = keepalive()
    watched.heard(100.9)
    assert watched.look(101.0)[0] is Verdict.WAIT


def test_server_that_does_not_answer_a_ping_in_time_is_dead() -> None:
    watched = keepalive()
    watched.look(101.0)
    assert watched.look(102.5) == (Verdict.WAIT, 0.5)
    assert watched.look(103.0) == (Verdict.DEAD, 0.0)


def test_anything_heard_counts_as_the_answer() -> None:
    watched = keepalive()
    watched.look(101.0)
    watched.heard(101.5)
    assert watched.look(103.0)[0] is Verdict.WAIT


def test_pings_keep_the_distance_that_servers_ask_for() -> None:
    watched = keepalive()
    watched.look(101.0)
    watched.heard(101.1)
    assert watched.look(102.5) == (Verdict.WAIT, 101.0 + MIN_PING_INTERVAL_S - 102.5)
    assert watched.look(101.0 + MIN_PING_INTERVAL_S)[0] is Verdict.PING
