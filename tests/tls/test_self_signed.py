"""Certificates of a node's own making."""

import ssl
from pathlib import Path

from cryptography import x509

from raftkv.tls.self_signed import DAYS_OF_A_YEAR, keep_certificate

NOW_S = 1_800_000_000.0
YEAR_S = DAYS_OF_A_YEAR * 86_400.0


def keep(folder: Path, *hosts: str, now_s: float = NOW_S) -> bytes:
    keep_certificate(folder / "c.pem", folder / "c.key.pem", hosts, years=1, now_s=now_s)
    return (folder / "c.pem").read_bytes()


def test_the_files_are_for_this_user_alone_and_belong_together(tmp_path: Path) -> None:
    folder = tmp_path / "auto-tls"
    folder.mkdir(mode=0o755)
    keep(folder, "10.0.0.1", "node.test")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "c.key.pem").stat().st_mode & 0o777 == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / "c.pem", folder / "c.key.pem")


def test_a_key_that_others_may_read_is_closed(tmp_path: Path) -> None:
    first = keep(tmp_path, "h")
    (tmp_path / "c.key.pem").chmod(0o644)
    assert keep(tmp_path, "h") == first
    assert (tmp_path / "c.key.pem").stat().st_mode & 0o777 == 0o600


def test_what_is_still_good_is_kept(tmp_path: Path) -> None:
    first = keep(tmp_path, "a", "b")
    assert keep(tmp_path, "a", now_s=NOW_S + YEAR_S - 10) == first


def test_what_is_not_good_any_more_is_made_anew(tmp_path: Path) -> None:
    first = keep(tmp_path, "a")
    second = keep(tmp_path, "a", "b")
    third = keep(tmp_path, "a", now_s=NOW_S + YEAR_S + 10)
    assert len({first, second, third}) == 3
    names = x509.load_pem_x509_certificate(second).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(names.get_values_for_type(x509.DNSName)) == ["a", "b"]
    (tmp_path / "c.pem").write_text("damaged")
    assert keep(tmp_path, "a") not in {first, second, third}
