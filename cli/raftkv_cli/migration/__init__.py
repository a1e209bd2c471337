"""From a live etcd to raftkv, without an end of service.

    keys at revision R      put in the order of their create and mod revisions          copying
    changes after R         applied revision by revision, as the watch brings them      following
    the writers stop        wait for the last change, compare everything                cut over

How far it is stands in the new cluster itself, under MARKER, and moves in the very transaction that makes a change: so it may break
off anywhere, and goes on where it was, with nothing missing and nothing twice.
"""

MARKER = b"raftkv/migration"
"""The key at the new cluster that says how far the migration is; gone after the cut-over."""
