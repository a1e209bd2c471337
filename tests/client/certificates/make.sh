#!/usr/bin/env bash
# Makes the certificates of this folder anew.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"; }
authority() {
  key "$1"
  openssl req -x509 -new -key "$work/$1.key" -subj "/CN=$1" -days 36500 -out "$1.pem" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
}
signed() { # name, subject, extensions
  key "$1"
  openssl req -new -key "$work/$1.key" -subj "/CN=$2" -out "$work/$1.csr"
  openssl x509 -req -in "$work/$1.csr" -CA ca.pem -CAkey "$work/ca.key" -CAcreateserial -CAserial "$work/serial" -days 36500 \
    -out "$work/$1.crt" -extfile <(printf '%s\n' "$3" "authorityKeyIdentifier=keyid" "subjectKeyIdentifier=hash")
  cat "$work/$1.crt" "$work/$1.key" >"$1.pem"
}
authority ca
authority stranger
signed server node.test "subjectAltName=DNS:localhost,DNS:node.test,IP:127.0.0.1
extendedKeyUsage=serverAuth,clientAuth"
signed client alice "extendedKeyUsage=clientAuth"
