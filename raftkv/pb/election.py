"""Generated from proto/etcd/election.proto by proto/generate.py. Do not edit."""

from raftkv.pb import kv, rpc
from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x13etcd/election.proto\x12\x0cv3electionpb\x1a\retcd/kv.pro'
    b'to\x1a\x0eetcd/rpc.proto"Q\n\x0fCampaignRequest\x12\x12\n\x04name\x18\x01 '
    b'\x01(\x0cR\x04name\x12\x14\n\x05lease\x18\x02 \x01(\x03R\x05lease\x12\x14\n\x05value\x18\x03 \x01(\x0cR\x05'
    b'value"y\n\x10CampaignResponse\x124\n\x06header\x18\x01 \x01(\x0b2\x1c.etcd'
    b'serverpb.ResponseHeaderR\x06header\x12/\n\x06leader\x18\x02 \x01(\x0b2'
    b'\x17.v3electionpb.LeaderKeyR\x06leader"Y\n\tLeaderKey\x12\x12\n'
    b'\x04name\x18\x01 \x01(\x0cR\x04name\x12\x10\n\x03key\x18\x02 \x01(\x0cR\x03key\x12\x10\n\x03rev\x18\x03 \x01(\x03'
    b'R\x03rev\x12\x14\n\x05lease\x18\x04 \x01(\x03R\x05lease"#\n\rLeaderRequest\x12\x12\n\x04'
    b'name\x18\x01 \x01(\x0cR\x04name"h\n\x0eLeaderResponse\x124\n\x06header\x18\x01 \x01'
    b'(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06header\x12 \n\x02kv\x18\x02'
    b' \x01(\x0b2\x10.mvccpb.KeyValueR\x02kv"@\n\rResignRequest\x12/\n\x06l'
    b'eader\x18\x01 \x01(\x0b2\x17.v3electionpb.LeaderKeyR\x06leader"F\n\x0e'
    b'ResignResponse\x124\n\x06header\x18\x01 \x01(\x0b2\x1c.etcdserverpb.Re'
    b'sponseHeaderR\x06header"X\n\x0fProclaimRequest\x12/\n\x06leade'
    b'r\x18\x01 \x01(\x0b2\x17.v3electionpb.LeaderKeyR\x06leader\x12\x14\n\x05valu'
    b'e\x18\x02 \x01(\x0cR\x05value"H\n\x10ProclaimResponse\x124\n\x06header\x18\x01 \x01'
    b'(\x0b2\x1c.etcdserverpb.ResponseHeaderR\x06header2\xf2\x02\n\x08Ele'
    b'ction\x12I\n\x08Campaign\x12\x1d.v3electionpb.CampaignRequest'
    b'\x1a\x1e.v3electionpb.CampaignResponse\x12I\n\x08Proclaim\x12\x1d.v'
    b'3electionpb.ProclaimRequest\x1a\x1e.v3electionpb.Procl'
    b'aimResponse\x12C\n\x06Leader\x12\x1b.v3electionpb.LeaderReque'
    b'st\x1a\x1c.v3electionpb.LeaderResponse\x12F\n\x07Observe\x12\x1b.v3'
    b'electionpb.LeaderRequest\x1a\x1c.v3electionpb.LeaderRe'
    b'sponse0\x01\x12C\n\x06Resign\x12\x1b.v3electionpb.ResignRequest\x1a'
    b'\x1c.v3electionpb.ResignResponseb\x06proto3',
    globals(),
)
