"""Generated from proto/raftkv/quota.proto by proto/generate.py. Do not edit."""

from raftkv.pb import rpc
from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x12raftkv/quota.proto\x12\traftkv.v1\x1a\x0eetcd/rpc.proto"'
    b'\xf2\x01\n\x05Quota\x12\x16\n\x06prefix\x18\x01 \x01(\x0cR\x06prefix\x12\x12\n\x04role\x18\x02 \x01(\tR'
    b'\x04role\x12\x19\n\x05bytes\x18\x03 \x01(\x04H\x00R\x05bytes\x88\x01\x01\x12\x17\n\x04keys\x18\x04 \x01(\x04H\x01'
    b'R\x04keys\x88\x01\x01\x12\x1d\n\x07watches\x18\x05 \x01(\x04H\x02R\x07watches\x88\x01\x01\x123\n\x13requ'
    b'ests_per_second\x18\x06 \x01(\x04H\x03R\x11requestsPerSecond\x88\x01\x01B\x08\n'
    b'\x06_bytesB\x07\n\x05_keysB\n\n\x08_watchesB\x16\n\x14_requests_per_se'
    b'cond"\x93\x01\n\x0bQuotaStatus\x12&\n\x05quota\x18\x01 \x01(\x0b2\x10.raftkv.v1.'
    b'QuotaR\x05quota\x12\x14\n\x05bytes\x18\x02 \x01(\x04R\x05bytes\x12\x12\n\x04keys\x18\x03 \x01(\x04'
    b'R\x04keys\x12\x18\n\x07watches\x18\x04 \x01(\x04R\x07watches\x12\x18\n\x07refused\x18\x05 \x01('
    b'\x04R\x07refused"9\n\x0fSetQuotaRequest\x12&\n\x05quota\x18\x01 \x01(\x0b2\x10.r'
    b'aftkv.v1.QuotaR\x05quota"H\n\x10SetQuotaResponse\x124\n\x06hea'
    b'der\x18\x01 \x01(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06header"'
    b'=\n\x0fGetQuotaRequest\x12\x16\n\x06prefix\x18\x01 \x01(\x0cR\x06prefix\x12\x12\n\x04ro'
    b'le\x18\x02 \x01(\tR\x04role"x\n\x10GetQuotaResponse\x124\n\x06header\x18\x01 \x01'
    b'(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06header\x12.\n\x06stat'
    b'us\x18\x02 \x01(\x0b2\x16.raftkv.v1.QuotaStatusR\x06status"\x13\n\x11List'
    b'QuotasRequest"z\n\x12ListQuotasResponse\x124\n\x06header\x18\x01 '
    b'\x01(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06header\x12.\n\x06quo'
    b'tas\x18\x02 \x03(\x0b2\x16.raftkv.v1.QuotaStatusR\x06quotas"@\n\x12Rem'
    b'oveQuotaRequest\x12\x16\n\x06prefix\x18\x01 \x01(\x0cR\x06prefix\x12\x12\n\x04role\x18'
    b'\x02 \x01(\tR\x04role"K\n\x13RemoveQuotaResponse\x124\n\x06header\x18\x01 \x01'
    b'(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06header2\x96\x02\n\x06Quo'
    b'tas\x12>\n\x03Set\x12\x1a.raftkv.v1.SetQuotaRequest\x1a\x1b.raftkv.'
    b'v1.SetQuotaResponse\x12>\n\x03Get\x12\x1a.raftkv.v1.GetQuotaR'
    b'equest\x1a\x1b.raftkv.v1.GetQuotaResponse\x12C\n\x04List\x12\x1c.ra'
    b'ftkv.v1.ListQuotasRequest\x1a\x1d.raftkv.v1.ListQuotas'
    b'Response\x12G\n\x06Remove\x12\x1d.raftkv.v1.RemoveQuotaReques'
    b't\x1a\x1e.raftkv.v1.RemoveQuotaResponseb\x06proto3',
    globals(),
)
