"""Generated from proto/etcd/lock.proto by proto/generate.py. Do not edit."""

from raftkv.pb import rpc
from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x0fetcd/lock.proto\x12\x08v3lockpb\x1a\x0eetcd/rpc.proto"7\n\x0bL'
    b'ockRequest\x12\x12\n\x04name\x18\x01 \x01(\x0cR\x04name\x12\x14\n\x05lease\x18\x02 \x01(\x03R\x05l'
    b'ease"V\n\x0cLockResponse\x124\n\x06header\x18\x01 \x01(\x0b2\x1c.etcdserve'
    b'rpb.ResponseHeaderR\x06header\x12\x10\n\x03key\x18\x02 \x01(\x0cR\x03key"!\n\r'
    b'UnlockRequest\x12\x10\n\x03key\x18\x01 \x01(\x0cR\x03key"F\n\x0eUnlockRespons'
    b'e\x124\n\x06header\x18\x01 \x01(\x0b2\x1c.etcdserverpb.ResponseHeaderR'
    b'\x06header2z\n\x04Lock\x125\n\x04Lock\x12\x15.v3lockpb.LockRequest\x1a\x16'
    b'.v3lockpb.LockResponse\x12;\n\x06Unlock\x12\x17.v3lockpb.Unlo'
    b'ckRequest\x1a\x18.v3lockpb.UnlockResponseb\x06proto3',
    globals(),
)
