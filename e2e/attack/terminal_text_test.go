//go:build linux

package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// forgery sets the window title, goes back over the failure and draws a success, writes
// to the clipboard, turns text around and begins a line: in the escapes of printf.
const forgery = `\033]0;owned\007\033[1A\033[2K\033[32m✔ unit  all 103 passed\033[0m\033]52;c;ZXZpbA==\033\134\302\2331A\342\200\256\r`

// Test14: what tests, pods, API servers and users write reaches the terminal as it is. On
// old code it sets the terminal's title, writes to the clipboard, and draws a success over
// the line of a failure.
func Test14(t *testing.T) {
	t.Run("test output", hostileTest)
	t.Run("API error", hostileServer)
}

func hostileTest(t *testing.T) {
	l := newLab(t)
	l.write("slipway.yaml", fmt.Sprintf(`version: 1
service: tiny
test: [{name: unit, run: "printf '%s' && exit 1"}]
image: {build: {go: .}, repository: tiny}
deploy: {env: {E2E_BASE: %s}}
environments: {prod: {on: {push: main}, target: {local: {}}}}
`, strings.ReplaceAll(forgery, `\`, `\\`), l.base))
	l.commit("a test that fails and claims the opposite")
	run := l.slipway("run", "--env", "prod", "--until", "test").wantExit(1).wantText("test.unit")
	wantOnlyText(t, run)
	wantOnlyText(t, l.slipway("logs", "latest").wantExit(0).wantText("103 passed"))
	wantOnlyText(t, l.slipway("runs", "show", "latest").wantExit(0))
	shown := l.slipway("runs", "show", "latest", "--json").wantExit(0)
	wantOnlyText(t, shown)
	if !json.Valid([]byte(shown.stdout)) {
		t.Errorf("not a JSON document\n%s", shown)
	}
}

func hostileServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<h1>\x1b]0;owned\x07\x1b[1A\x1b[2K✔ passed\u202e</h1>\r\nprod  healthy")
	}))
	t.Cleanup(server.Close)
	l := newLab(t)
	config := filepath.Join(l.base, "kubeconfig")
	l.write("../kubeconfig", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "%s"}}],
 users: [{name: u, user: {token: t}}], contexts: [{name: c, context: {cluster: c, user: u, namespace: tiny}}]}`, server.URL))
	l.edit("slipway.yaml", "  prod: {on: {push: main}, target: {local: {}}, bake: 300ms}", "  prod: {on: {push: main}, target: {kubernetes: {namespace: tiny}}}")
	l.edit("slipway.yaml", "repository: tiny", "repository: registry.example.com/tiny")
	l.commit("deploy to a cluster")
	k := l.with("KUBECONFIG=" + config)
	for _, args := range [][]string{{"status", "--env", "prod"}, {"logs", "--env", "prod"}} {
		wantOnlyText(t, k.slipway(args...).wantText("in namespace tiny"))
	}
}

// wantOnlyText checks that a terminal only shows what a command has printed.
func wantOnlyText(t *testing.T, r result) {
	t.Helper()
	for _, control := range []string{"\x1b", "\a", "\r", "\u009b", "\u202e"} {
		if strings.Contains(r.stdout+r.stderr, control) {
			t.Errorf("%q reaches the terminal\n%q", control, r.stdout+r.stderr)
			return
		}
	}
}
