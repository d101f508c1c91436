//go:build e2e

package buildkit_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh/agent"

	"github.com/slipway-cd/slipway/internal/fault"
)

// testAgent lets a command reach an SSH agent, or tells why it does not.
func (f *fixture) testAgent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _ = agent.ServeAgent(agent.NewKeyring(), c) }()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", socket)
	o := project(t, "FROM shell:1\nRUN --mount=type=ssh agent\n")
	o.Dockerfile.SSH = true
	var log bytes.Buffer
	f.build(t, o, &log)
	if !strings.Contains(log.String(), " the agent answered 12\n") {
		t.Errorf("log:\n%s", log.String())
	}
	o = project(t, "FROM shell:1\nRUN --mount=type=ssh agent && print not given\n")
	if _, err := f.builder().Build(t.Context(), o, io.Discard); !fault.Is(err, fault.Failed) || !strings.Contains(fault.HintOf(err), "image.build.ssh") {
		t.Errorf("an agent that is not given: %v (%s)", err, fault.HintOf(err))
	}
	o.Dockerfile.SSH = true
	t.Setenv("SSH_AUTH_SOCK", "")
	if _, err := f.builder().Build(t.Context(), o, io.Discard); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "ssh-add") {
		t.Errorf("no agent: %v (%s)", err, fault.HintOf(err))
	}
}

// testPassword takes a base image from a registry that wants a password, which
// Docker's configuration has.
func (f *fixture) testPassword(t *testing.T) {
	const user, password = "robot", "planted-registry-password"
	inside := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: f.registry})
	guarded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="guarded"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inside.ServeHTTP(w, r)
	}))
	defer guarded.Close()
	host := strings.TrimPrefix(guarded.URL, "http://")
	o := project(t, "FROM "+host+"/library/shell:1\nRUN print in\n")
	if _, err := f.builder().Build(t.Context(), o, io.Discard); !fault.Is(err, fault.Failed) || !strings.Contains(fault.HintOf(err), "docker login") {
		t.Errorf("without a password: %v (%s)", err, fault.HintOf(err))
	}
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	config := filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json")
	if err := os.WriteFile(config, []byte(`{"auths":{"`+host+`":{"auth":"`+auth+`"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(config)
	var log bytes.Buffer
	built := f.build(t, o, &log)
	_, everything := contents(t, built.Layout)
	if strings.Contains(log.String()+everything, password) {
		t.Error("the password is in the log or in the image")
	}
}
