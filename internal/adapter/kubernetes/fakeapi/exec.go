package fakeapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
)

// exec runs a command beside a container, over a WebSocket.
func (p *pod) exec(w http.ResponseWriter, req *http.Request) {
	p.mu.Lock()
	one := p.containers[req.URL.Query().Get("container")]
	p.mu.Unlock()
	if one == nil || isClosed(one.done) {
		http.Error(w, "container not found", http.StatusBadRequest)
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{remotecommand.StreamProtocolV5Name}}
	socket, err := up.Upgrade(w, req, nil)
	if err != nil {
		p.server.t.Error(err)
		return
	}
	defer func() { _ = socket.Close() }()
	s := &session{socket: socket}
	args := req.URL.Query()["command"]
	for i := range args {
		args[i] = p.here(args[i])
	}
	cmd := exec.CommandContext(req.Context(), args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = s.channel(remotecommand.StreamStdOut), s.channel(remotecommand.StreamStdErr)
	in, out := io.Pipe()
	if req.URL.Query().Get("stdin") == "true" {
		cmd.Stdin = in
	}
	go s.receive(out)
	err = cmd.Run()
	_ = in.Close()
	s.end(err)
}

// session is one command's connection.
type session struct {
	socket *websocket.Conn
	mu     sync.Mutex // of writing
}

// receive passes on what comes as the command's input.
func (s *session) receive(to *io.PipeWriter) {
	for {
		_, message, err := s.socket.ReadMessage()
		switch {
		case err != nil:
			_ = to.CloseWithError(err)
			return
		case len(message) == 0:
		case message[0] == remotecommand.StreamStdIn:
			_, _ = to.Write(message[1:]) // a command that has ended reads no more
		case message[0] == remotecommand.StreamClose:
			_ = to.Close()
		}
	}
}

// end sends how the command ended.
func (s *session) end(err error) {
	status := metav1.Status{Status: metav1.StatusSuccess}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		status = metav1.Status{Status: metav1.StatusFailure, Reason: remotecommand.NonZeroExitCodeReason, Message: err.Error(), Details: &metav1.StatusDetails{
			Causes: []metav1.StatusCause{{Type: remotecommand.ExitCodeCauseType, Message: strconv.Itoa(exit.ExitCode())}},
		}}
	case err != nil:
		status = metav1.Status{Status: metav1.StatusFailure, Message: err.Error()}
	}
	if raw, err := json.Marshal(status); err == nil {
		_, _ = s.channel(remotecommand.StreamErr).Write(raw)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.socket.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

// channel returns the writer of one of the connection's streams.
func (s *session) channel(id byte) io.Writer { return channel{s, id} }

type channel struct {
	session *session
	id      byte
}

// Write implements io.Writer.
func (c channel) Write(b []byte) (int, error) {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	return len(b), c.session.socket.WriteMessage(websocket.BinaryMessage, append([]byte{c.id}, b...))
}
