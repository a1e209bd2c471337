package main

import (
	"encoding/binary"
	"fmt"

	"github.com/gogo/protobuf/proto"
)

// encoded is gRPC's codec for a stream whose responses stay as they came.
type encoded struct{}

func (encoded) Name() string { return "proto" }

func (encoded) Marshal(v interface{}) ([]byte, error) { return proto.Marshal(v.(proto.Message)) }

func (encoded) Unmarshal(data []byte, v interface{}) error {
	*v.(*[]byte) = data
	return nil
}

// The fields of a WatchResponse that skim looks at, and the wire types of all of its fields.
const (
	watchID   = 2
	eventList = 11
	varint    = 0
	delimited = 2
)

// skim tells how many events an encoded WatchResponse has, and whether it is for the watcher 0 of its stream.
func skim(data []byte) (events int, first bool) {
	first = true
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		value, m := binary.Uvarint(data[n:])
		if n <= 0 || m <= 0 {
			panic(fmt.Sprintf("not a WatchResponse: %x", data))
		}
		data = data[n+m:]
		switch {
		case tag&7 == delimited && value <= uint64(len(data)):
			data = data[value:]
		case tag&7 != varint:
			panic(fmt.Sprintf("not a WatchResponse: field %d", tag>>3))
		}
		switch tag >> 3 {
		case watchID:
			first = value == 0
		case eventList:
			events++
		}
	}
	return events, first
}
