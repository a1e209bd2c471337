"""Generated from proto/raftkv/quota.proto by proto/generate.py. Do not edit."""

from raftkv.pb import rpc
from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x12raftkv/quota.proto\x12\traftkv.v1\x1a\x0eetcd/rpc.proto"'
    b'\x93\x02\n\x05Quota\x12\x16\n\x06prefix\x18\x01 \x01(\x0cR\x06prefix\x12\x12\n\x04role\x18\x02 \x01(\tR'
    b'\x04role\x12 \n\tmax_bytes\x18\x03 \x01(\x04H\x00R\x08maxBytes\x88\x01\x01\x12\x1e\n\x08max_k'
    b'eys\x18\x04 \x01(\x04H\x01R\x07maxKeys\x88\x01\x01\x12$\n\x0bmax_watches\x18\x05 \x01(\x04H\x02R\n'
    b'maxWatches\x88\x01\x01\x123\n\x13requests_per_second\x18\x06 \x01(\x04H\x03R\x11re'
    b'questsPerSecond\x88\x01\x01B\x0c\n\n_max_bytesB\x0b\n\t_max_keysB\x0e\n'
    b'\x0c_max_watchesB\x16\n\x14_requests_per_second"\xa5\x01\n\x0bQuotaS'
    b'tatus\x12&\n\x05quota\x18\x01 \x01(\x0b2\x10.raftkv.v1.QuotaR\x05quota\x12\x1d\n'
    b'\nused_bytes\x18\x02 \x01(\x04R\tusedBytes\x12\x1b\n\tused_keys\x18\x03 \x01(\x04R'
    b'\x08usedKeys\x12\x18\n\x07watches\x18\x04 \x01(\x04R\x07watches\x12\x18\n\x07refused\x18\x05'
    b' \x01(\x04R\x07refused"9\n\x0fSetQuotaRequest\x12&\n\x05quota\x18\x01 \x01(\x0b2'
    b'\x10.raftkv.v1.QuotaR\x05quota"H\n\x10SetQuotaResponse\x124\n\x06'
    b'header\x18\x01 \x01(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06head'
    b'er"=\n\x0fGetQuotaRequest\x12\x16\n\x06prefix\x18\x01 \x01(\x0cR\x06prefix\x12\x12\n'
    b'\x04role\x18\x02 \x01(\tR\x04role"x\n\x10GetQuotaResponse\x124\n\x06header\x18'
    b'\x01 \x01(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06header\x12.\n\x06s'
    b'tatus\x18\x02 \x01(\x0b2\x16.raftkv.v1.QuotaStatusR\x06status"\x13\n\x11L'
    b'istQuotasRequest"z\n\x12ListQuotasResponse\x124\n\x06header'
    b'\x18\x01 \x01(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06header\x12.\n\x06'
    b'quotas\x18\x02 \x03(\x0b2\x16.raftkv.v1.QuotaStatusR\x06quotas"@\n\x12'
    b'RemoveQuotaRequest\x12\x16\n\x06prefix\x18\x01 \x01(\x0cR\x06prefix\x12\x12\n\x04ro'
    b'le\x18\x02 \x01(\tR\x04role"K\n\x13RemoveQuotaResponse\x124\n\x06header\x18'
    b'\x01 \x01(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06header2\x96\x02\n\x06'
    b'Quotas\x12>\n\x03Set\x12\x1a.raftkv.v1.SetQuotaRequest\x1a\x1b.raft'
    b'kv.v1.SetQuotaResponse\x12>\n\x03Get\x12\x1a.raftkv.v1.GetQuo'
    b'taRequest\x1a\x1b.raftkv.v1.GetQuotaResponse\x12C\n\x04List\x12\x1c'
    b'.raftkv.v1.ListQuotasRequest\x1a\x1d.raftkv.v1.ListQuo'
    b'tasResponse\x12G\n\x06Remove\x12\x1d.raftkv.v1.RemoveQuotaReq'
    b'uest\x1a\x1e.raftkv.v1.RemoveQuotaResponseb\x06proto3',
    globals(),
)
