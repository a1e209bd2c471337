"""Generated from proto/grpc/health.proto by proto/generate.py. Do not edit."""

from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x11grpc/health.proto\x12\x0egrpc.health.v1".\n\x12HealthChe'
    b'ckRequest\x12\x18\n\x07service\x18\x01 \x01(\tR\x07service"\xb1\x01\n\x13HealthCh'
    b'eckResponse\x12I\n\x06status\x18\x01 \x01(\x0e21.grpc.health.v1.Hea'
    b'lthCheckResponse.ServingStatusR\x06status"O\n\rServin'
    b'gStatus\x12\x0b\n\x07UNKNOWN\x10\x00\x12\x0b\n\x07SERVING\x10\x01\x12\x0f\n\x0bNOT_SERVING'
    b'\x10\x02\x12\x13\n\x0fSERVICE_UNKNOWN\x10\x032\xae\x01\n\x06Health\x12P\n\x05Check\x12".gr'
    b'pc.health.v1.HealthCheckRequest\x1a#.grpc.health.v1'
    b'.HealthCheckResponse\x12R\n\x05Watch\x12".grpc.health.v1.H'
    b'ealthCheckRequest\x1a#.grpc.health.v1.HealthCheckRe'
    b'sponse0\x01b\x06proto3',
    globals(),
)
