"""Generated from proto/torchft/torchft.proto by proto/generate.py. Do not edit."""

from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x15torchft/torchft.proto\x12\x07torchft"\xfd\x01\n\x0cQuorumMembe'
    b'r\x12\x1d\n\nreplica_id\x18\x01 \x01(\tR\treplicaId\x12\x18\n\x07address\x18\x02 \x01('
    b'\tR\x07address\x12#\n\rstore_address\x18\x03 \x01(\tR\x0cstoreAddress\x12'
    b'\x12\n\x04step\x18\x04 \x01(\x03R\x04step\x12\x1d\n\nworld_size\x18\x05 \x01(\x04R\tworldSi'
    b'ze\x12\x1f\n\x0bshrink_only\x18\x06 \x01(\x08R\nshrinkOnly\x12\x12\n\x04data\x18\x07 \x01('
    b"\tR\x04data\x12'\n\x0fcommit_failures\x18\x08 \x01(\x03R\x0ecommitFailures"
    b'"6\n\x04Time\x12\x18\n\x07seconds\x18\x01 \x01(\x03R\x07seconds\x12\x14\n\x05nanos\x18\x02 \x01('
    b'\x05R\x05nanos"\x89\x01\n\x06Quorum\x12\x1b\n\tquorum_id\x18\x01 \x01(\x03R\x08quorumId'
    b'\x129\n\x0cparticipants\x18\x02 \x03(\x0b2\x15.torchft.QuorumMemberR\x0cp'
    b"articipants\x12'\n\x07created\x18\x03 \x01(\x0b2\r.torchft.TimeR\x07cre"
    b'ated"N\n\x17LighthouseQuorumRequest\x123\n\trequester\x18\x01 \x01'
    b'(\x0b2\x15.torchft.QuorumMemberR\trequester"C\n\x18Lighthou'
    b"seQuorumResponse\x12'\n\x06quorum\x18\x01 \x01(\x0b2\x0f.torchft.Quoru"
    b'mR\x06quorum";\n\x1aLighthouseHeartbeatRequest\x12\x1d\n\nrepli'
    b'ca_id\x18\x01 \x01(\tR\treplicaId"\x1d\n\x1bLighthouseHeartbeatRes'
    b'ponse2\xba\x01\n\x11LighthouseService\x12M\n\x06Quorum\x12 .torchft.'
    b'LighthouseQuorumRequest\x1a!.torchft.LighthouseQuor'
    b'umResponse\x12V\n\tHeartbeat\x12#.torchft.LighthouseHear'
    b'tbeatRequest\x1a$.torchft.LighthouseHeartbeatRespon'
    b'seb\x06proto3',
    globals(),
)
