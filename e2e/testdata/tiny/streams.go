package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"time"
)

// events sends one server-sent event after the other, for as long as the user stays.
func (s service) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 0; ; n++ {
		fmt.Fprintf(w, "id: %d\ndata: %s\n\n", n, s.release)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// socket is a WebSocket that returns every short message that it gets.
func (s service) socket(w http.ResponseWriter, r *http.Request) {
	const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // of RFC 6455
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + magic))
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"error": err.Error()})
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(accept[:]))
	for {
		message, err := readMessage(rw.Reader)
		if err != nil {
			return
		}
		if _, err := conn.Write(append([]byte{0x81, byte(len(message))}, message...)); err != nil {
			return
		}
	}
}

// readMessage reads a text message of a single masked frame of up to 125 bytes.
func readMessage(r *bufio.Reader) ([]byte, error) {
	var header [6]byte // kind, length, mask
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	if header[0] != 0x81 || header[1] < 0x80 || header[1] > 0x80+125 {
		return nil, io.ErrUnexpectedEOF // the user closes it, most likely
	}
	message := make([]byte, header[1]-0x80)
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, err
	}
	for i := range message {
		message[i] ^= header[2+i%4]
	}
	return message, nil
}
