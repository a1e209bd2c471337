#!/usr/bin/env bash
# Builds etcdload from Debian's own Go and etcd client library (apt-get install golang-go golang-etcd-server-dev).
# Usage: build.sh OUTPUT_FILE
set -euo pipefail
GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$(realpath -m "${1:?output file}")" "$(dirname "$0")"/*.go
