"""Generated from proto/raftkv/command.proto by proto/generate.py. Do not edit."""

from raftkv.pb import rpc
from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x14raftkv/command.proto\x12\x0eraftkv.command\x1a\x0eetcd/rpc'
    b'.proto"?\n\tRequestId\x12\x16\n\x06client\x18\x01 \x01(\x0cR\x06client\x12\x1a\n\x08s'
    b'equence\x18\x02 \x01(\x04R\x08sequence"\xed\x04\n\x07Command\x12\x1a\n\x08proposer\x18'
    b'\x01 \x01(\x04R\x08proposer\x12\x1a\n\x08proposal\x18\x02 \x01(\x04R\x08proposal\x128\n\nr'
    b'equest_id\x18\x03 \x01(\x0b2\x19.raftkv.command.RequestIdR\trequ'
    b'estId\x12,\n\x03put\x18\n \x01(\x0b2\x18.etcdserverpb.PutRequestH\x00R\x03'
    b'put\x12E\n\x0cdelete_range\x18\x0b \x01(\x0b2 .etcdserverpb.DeleteR'
    b'angeRequestH\x00R\x0bdeleteRange\x12,\n\x03txn\x18\x0c \x01(\x0b2\x18.etcdse'
    b'rverpb.TxnRequestH\x00R\x03txn\x12;\n\x07compact\x18\r \x01(\x0b2\x1f.etcd'
    b'serverpb.CompactionRequestH\x00R\x07compact\x122\n\x05alarm\x18\x0e'
    b' \x01(\x0b2\x1a.etcdserverpb.AlarmRequestH\x00R\x05alarm\x12:\n\nset'
    b'_member\x18\x0f \x01(\x0b2\x19.raftkv.command.SetMemberH\x00R\tsetM'
    b'ember\x12C\n\rremove_member\x18\x10 \x01(\x0b2\x1c.raftkv.command.Re'
    b'moveMemberH\x00R\x0cremoveMember\x12S\n\x13set_cluster_versio'
    b'n\x18\x11 \x01(\x0b2!.raftkv.command.SetClusterVersionH\x00R\x11se'
    b'tClusterVersionB\x06\n\x04body"9\n\tSetMember\x12,\n\x06member\x18\x01'
    b' \x01(\x0b2\x14.etcdserverpb.MemberR\x06member"\x1e\n\x0cRemoveMemb'
    b'er\x12\x0e\n\x02id\x18\x01 \x01(\x04R\x02id"-\n\x11SetClusterVersion\x12\x18\n\x07versi'
    b'on\x18\x01 \x01(\tR\x07versionb\x06proto3',
    globals(),
)
