//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// What is under way while the traffic switches to another release ends as if nothing had
// happened: requests with chunked bodies at a high rate, server-sent events, WebSockets,
// requests on kept and on new connections, and bodies that are sent slowly.
func TestTargets_L22_L24_Streams(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("slipway.yaml", "drain: 2s", "drain: 30s") // a busy machine may notice the switch late
	p.edit("slipway.yaml", "env: {ROUND:", "env: {TINY_WHEN_TERMINATED: exits at once, ROUND:")
	p.commit("leave draining to the target")
	p.run().wantRun(0, "deployed")
	url := p.status("prod").URL
	p.subtest("L22_Chunked", func() {
		s := newStreams(p.t, url)
		for range 8 {
			s.start("chunked", s.sendChunked)
		}
		s.throughSwitch(p)
		s.wantReceived("chunked", 200)
	})
	p.subtest("L24_LongLived", func() {
		s := newStreams(p.t, url)
		for i := range 4 {
			s.start("event", s.receiveEvents)
			s.start("message", s.exchangeMessages)
			s.start("kept connection", s.sendOnKept)
			s.start("slow body", func(received func()) error { return s.sendSlowly(i%2 == 0, received) })
		}
		fresh := startLoad(url, 50)
		s.throughSwitch(p)
		if sent, failures := fresh.stopAndCount(); sent < 20 || len(failures) > 0 {
			p.t.Errorf("%d of %d requests on new connections failed: %v", len(failures), sent, failures)
		}
		s.wantReceived("event", 80)
		s.wantReceived("message", 80)
		s.wantReceived("kept connection", 80)
		s.wantReceived("slow body", 4)
	})
}

// streams are users of a service whose connections outlive a switch.
type streams struct {
	t    *testing.T
	url  string
	user *http.Client // keeps its connections
	stop chan struct{}
	wg   sync.WaitGroup

	mu       sync.Mutex
	received map[string]int // by kind
}

func newStreams(t *testing.T, url string) *streams {
	transport := &http.Transport{MaxIdleConnsPerHost: 20}
	t.Cleanup(transport.CloseIdleConnections)
	return &streams{t: t, url: url, user: &http.Client{Transport: transport}, stop: make(chan struct{}), received: map[string]int{}}
}

// start starts a user, who goes on until stop and reports each complete response. An
// error is a response that was lost.
func (s *streams) start(kind string, use func(received func()) error) {
	received := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.received[kind]++
	}
	s.wg.Go(func() {
		if err := use(received); err != nil {
			s.t.Errorf("%s: %v", kind, err)
		}
	})
}

// throughSwitch deploys another release, and ends the users once it has had the traffic
// for a while.
func (s *streams) throughSwitch(p *project) {
	p.t.Helper()
	before := p.status("prod").Release
	p.changeRound(p.t.Name())
	r := p.start("run", "--env", "prod", "--json")
	switched := p.eventually(time.Minute, func() bool { id, err := p.health(s.url); return err == nil && id.Release != before })
	time.Sleep(500 * time.Millisecond) // what is under way outlives the switch by this much
	close(s.stop)
	s.wg.Wait()
	if r.wait().wantRun(0, "deployed"); !switched {
		p.t.Errorf("users still get release %s", before)
	}
}

func (s *streams) wantReceived(kind string, atLeast int) {
	s.t.Helper()
	if n := s.received[kind]; n < atLeast {
		s.t.Errorf("%s: %d complete responses, want %d or more", kind, n, atLeast)
	}
}

// untilStop calls do at intervals.
func (s *streams) untilStop(interval time.Duration, do func() error) error {
	for {
		if err := do(); err != nil {
			return err
		}
		select {
		case <-s.stop:
			return nil
		case <-time.After(interval):
		}
	}
}

// sendChunked sends requests whose length is not known in advance.
func (s *streams) sendChunked(received func()) error {
	return s.untilStop(4*time.Millisecond, func() error {
		body := struct{ io.Reader }{strings.NewReader(`{"n": 21}`)} // hides its length
		return s.predict(body, -1, received)
	})
}

func (s *streams) sendOnKept(received func()) error {
	return s.untilStop(10*time.Millisecond, func() error { return s.predict(strings.NewReader(`{"n": 21}`), 9, received) })
}

// sendSlowly sends a request whose body ends after the switch, with or without its length.
func (s *streams) sendSlowly(withLength bool, received func()) error {
	const size = 1000
	length := int64(-1)
	if withLength {
		length = size
	}
	body, w := io.Pipe()
	go func() {
		sent := len(`{"n": 21`)
		_, _ = io.WriteString(w, `{"n": 21`)
		_ = s.untilStop(50*time.Millisecond, func() error {
			n, err := io.WriteString(w, " ")
			sent += n
			return err
		})
		_, _ = io.WriteString(w, strings.Repeat(" ", size-1-sent)+"}")
		w.Close()
	}()
	return s.predict(body, length, received)
}

func (s *streams) predict(body io.Reader, length int64, received func()) error {
	req, err := http.NewRequest(http.MethodPost, s.url+"/predict", body)
	if err != nil {
		return err
	}
	req.ContentLength = length
	resp, err := s.user.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), `"doubled":42`) {
		return fmt.Errorf("status %d, %w: %s", resp.StatusCode, err, text)
	}
	received()
	return nil
}

// receiveEvents stays with one stream of server-sent events, and misses none.
func (s *streams) receiveEvents(received func()) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	errStopped := errors.New("the user has seen enough")
	go func() { <-s.stop; cancel(errStopped) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/events", nil)
	if err != nil {
		return err
	}
	resp, err := s.user.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for next := 0; lines.Scan(); {
		id, ok := strings.CutPrefix(lines.Text(), "id: ")
		if !ok {
			continue
		}
		if id != fmt.Sprint(next) {
			return fmt.Errorf("event %s after event %d", id, next-1)
		}
		next++
		received()
	}
	if context.Cause(ctx) == errStopped {
		return nil
	}
	return fmt.Errorf("the stream ended: %w", errors.Join(lines.Err(), io.EOF))
}

// exchangeMessages sends messages on one WebSocket, and gets each back.
func (s *streams) exchangeMessages(received func()) error {
	conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.url, "http")+"/socket", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	defer conn.Close()
	n := 0
	return s.untilStop(10*time.Millisecond, func() error {
		n++
		want := fmt.Sprintf("message %d", n)
		if err := conn.WriteMessage(websocket.TextMessage, []byte(want)); err != nil {
			return fmt.Errorf("send message %d: %w", n, err)
		}
		_, got, err := conn.ReadMessage()
		if err != nil || string(got) != want {
			return fmt.Errorf("message %d came back as %q: %w", n, got, err)
		}
		received()
		return nil
	})
}
