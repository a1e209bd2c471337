"""The gRPC services: etcd's and our own, over a transport that they do not see."""
