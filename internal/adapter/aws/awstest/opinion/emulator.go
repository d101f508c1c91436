package opinion

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// Emulator is another program that imitates AWS, on loopback.
type Emulator struct {
	Name string
	URL  *url.URL
	log  *lockedBuffer
}

// lockedBuffer keeps what a program prints.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startTime bounds the start of a program on a busy machine.
const startTime = 2 * time.Minute

// StartMoto starts moto's server by a Python that has it. It is not awaited: see Await.
func StartMoto(t *testing.T, python string) *Emulator {
	t.Helper()
	return start(t, "moto", python, []string{"MOTO_ACCOUNT_ID=" + awstest.Account}, func(port string) []string {
		return []string{"-m", "moto.server", "-H", "127.0.0.1", "-p", port}
	})
}

// StartMinistack starts ministack. By itself it listens on all interfaces, and keeps state
// in files that others share.
func StartMinistack(t *testing.T, python string) *Emulator {
	t.Helper()
	env := []string{"BIND_HOST=127.0.0.1", "IOT_MTLS_ENABLED=0", "MINISTACK_ACCOUNT_ID=" + awstest.Account, "MINISTACK_REGION=" + awstest.Region}
	return start(t, "ministack", python, env, func(string) []string { return []string{"-m", "ministack"} })
}

// StartMicroburst starts microburst in front of another one, with rules in its own YAML.
func StartMicroburst(t *testing.T, python string, upstream *Emulator, rules string) *Emulator {
	t.Helper()
	file := t.TempDir() + "/rules.yaml"
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, "microburst", python, nil, func(port string) []string {
		return []string{"-m", "microburst", "--upstream", upstream.URL.String(), "--host", "127.0.0.1", "--port", port, "--config", file}
	})
}

// start starts a program of Python in a folder of its own. The test's end stops it.
func start(t *testing.T, name, python string, env []string, args func(port string) []string) *Emulator {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	_ = l.Close()
	e := &Emulator{Name: name, URL: &url.URL{Scheme: "http", Host: address}, log: &lockedBuffer{}}
	dir := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, python, args(port)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, e.log, e.log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "GATEWAY_PORT=" + port, "PYTHONUNBUFFERED=1"}, env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() })
	return e
}

// Await waits until the program listens.
func (e *Emulator) Await(t *testing.T) {
	t.Helper()
	var d net.Dialer
	for end := time.Now().Add(startTime); ; time.Sleep(50 * time.Millisecond) {
		conn, err := d.DialContext(t.Context(), "tcp", e.URL.Host)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not listen: %v\n%s", e.Name, err, e.Log())
		}
	}
}

// Log is the end of what the program printed.
func (e *Emulator) Log() string {
	const most = 4 << 10
	text := e.log.String()
	return strings.ToValidUTF8(text[max(0, len(text)-most):], "")
}

// Warm makes ministack find out, while others work, that it does not have a service: it
// reads all models of AWS for that once, which takes up to 20 s.
func (e *Emulator) Warm(t *testing.T, service string) {
	t.Helper()
	ctx := t.Context()
	go func() {
		for ctx.Err() == nil {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL.String()+"/", http.NoBody)
			if err != nil {
				return
			}
			r.Header.Set("Authorization", scope(service))
			res, err := http.DefaultClient.Do(r)
			if err == nil {
				_ = res.Body.Close()
				return
			}
			time.Sleep(100 * time.Millisecond) // it does not listen yet
		}
	}()
}

// scope names a service as a signature does.
func scope(service string) string {
	return "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261130/" + awstest.Region + "/" + service + "/aws4_request, SignedHeaders=host, Signature=0"
}

// Client returns one that sends what is for AWS to the emulator.
func (e *Emulator) Client(names *awstest.Cloud) *Client {
	c := NewClient(names, (&http.Client{Transport: &http.Transport{}}).Do)
	c.server, c.byPath = e.URL, e.Name == "microburst"
	return c
}
