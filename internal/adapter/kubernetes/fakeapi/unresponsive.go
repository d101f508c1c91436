package fakeapi

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// Unresponsive returns the ways in which an API server or a node may fail to answer, by
// what it does.
func Unresponsive() map[string]func(net.Conn) {
	const spdyUpgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n"
	// upgraded refuses WebSockets and upgrades to SPDY.
	upgraded := func(c net.Conn) *bufio.Reader {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil {
			return nil
		}
		if req.Method == http.MethodGet {
			_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.Close()
			return nil
		}
		_, _ = io.WriteString(c, spdyUpgrade)
		return r
	}
	return map[string]func(net.Conn){
		"accepts and is silent":       func(net.Conn) {},
		"ends before it answers":      func(c net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(c)); c.Close() },
		"upgrades and is silent":      func(c net.Conn) { upgraded(c) },
		"upgrades and ends":           func(c net.Conn) { upgraded(c); c.Close() },
		"ends between two frames":     func(c net.Conn) { readAndClose(c, upgraded(c)) },
		"answers with half a header":  func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-") },
		"answers with half of a body": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{") },
	}
}

// readAndClose ends a connection once the first stream is requested.
func readAndClose(c net.Conn, r *bufio.Reader) {
	if r == nil {
		return
	}
	_, _ = r.ReadByte()
	time.Sleep(10 * time.Millisecond) // the frame is whole, the answer to it is not sent
	c.Close()
}
