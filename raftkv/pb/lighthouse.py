"""Generated from proto/raftkv/lighthouse.proto by proto/generate.py. Do not edit."""

from raftkv.pb import torchft
from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x17raftkv/lighthouse.proto\x12\traftkv.v1\x1a\x15torchft/to'
    b'rchft.proto"\xa6\x01\n\nFormQuorum\x12\x12\n\x04term\x18\x01 \x01(\x04R\x04term\x12\x10'
    b'\n\x03job\x18\x02 \x01(\tR\x03job\x129\n\x0cparticipants\x18\x03 \x03(\x0b2\x15.torchft'
    b'.QuorumMemberR\x0cparticipants\x12\x18\n\x07tickets\x18\x04 \x03(\x06R\x07ti'
    b'ckets\x12\x1d\n\ncreated_ns\x18\x05 \x01(\x03R\tcreatedNs"}\n\x0bWaitingC'
    b'all\x12\x16\n\x06ticket\x18\x01 \x01(\x06R\x06ticket\x12\x10\n\x03job\x18\x02 \x01(\tR\x03job\x12\x15\n'
    b'\x06age_ms\x18\x03 \x01(\x04R\x05ageMs\x12-\n\x06member\x18\x04 \x01(\x0b2\x15.torchft.Q'
    b'uorumMemberR\x06member"D\n\x0fGroupHeartbeats\x12\x10\n\x03job\x18\x01 '
    b'\x01(\tR\x03job\x12\x1f\n\x0breplica_ids\x18\x02 \x03(\tR\nreplicaIds"\x94\x01\n\x0eLi'
    b'ghthouseNews\x12\x14\n\x05whole\x18\x01 \x01(\x08R\x05whole\x120\n\x07waiting\x18\x02 '
    b'\x03(\x0b2\x16.raftkv.v1.WaitingCallR\x07waiting\x12:\n\nheartbea'
    b'ts\x18\x03 \x03(\x0b2\x1a.raftkv.v1.GroupHeartbeatsR\nheartbeats'
    b'"d\n\x11LighthouseAnswers\x125\n\x07answers\x18\x01 \x03(\x0b2\x1b.raftkv.'
    b'v1.LighthouseAnswerR\x07answers\x12\x18\n\x07refused\x18\x02 \x03(\x06R\x07r'
    b'efused"H\n\x10LighthouseAnswer\x12\x18\n\x07tickets\x18\x01 \x03(\x06R\x07tic'
    b'kets\x12\x1a\n\x08response\x18\x02 \x01(\x0cR\x08responseb\x06proto3',
    globals(),
)
