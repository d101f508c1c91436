package proxy_test

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// TestServer_HTTP2Limits: what a client of HTTP/2 may send before anybody reads it is
// said when its connection begins.
func TestServer_HTTP2Limits(t *testing.T) {
	r := startPlain(t, proxy.Config{})
	conn, in := dial(t, r.url)
	_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	const settings, windowUpdate, streams, streamWindow = 4, 8, 3, 4
	got := map[uint16]uint32{}
	for window := uint32(65_535); ; {
		head := make([]byte, 9)
		if _, err := io.ReadFull(in, head); err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(in, payload); err != nil {
			t.Fatal(err)
		}
		switch head[3] {
		case settings:
			for ; len(payload) >= 6; payload = payload[6:] {
				got[binary.BigEndian.Uint16(payload)] = binary.BigEndian.Uint32(payload[2:])
			}
			continue
		case windowUpdate:
			window += binary.BigEndian.Uint32(payload)
		}
		if got[streams] != 250 || got[streamWindow] != 64<<10 || window != 128<<10 {
			t.Errorf("streams %d, window of a stream %d, of the connection %d; want 250, 64 KiB and 128 KiB", got[streams], got[streamWindow], window)
		}
		return
	}
}
