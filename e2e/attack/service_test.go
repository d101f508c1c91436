//go:build linux

package attack

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newService returns a lab whose repository has the service of testdata/web instead,
// which builds and starts in a second or two: no model, one replica.
func newService(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	l.must(os.RemoveAll(l.repo))
	l.must(os.CopyFS(l.repo, os.DirFS("testdata/web")))
	l.write("slipway.yaml", strings.Replace(l.read(filepath.Join(l.repo, "slipway.yaml")), "within: 20s", "within: 20s, env: {E2E_BASE: "+l.base+"}", 1))
	l.git("init", "-q", "-b", "main")
	l.commit("a service")
	return l
}

// deploy delivers the repository to prod and returns the service's address.
func (l *lab) deploy() string {
	l.t.Helper()
	l.slipway("run", "--env", "prod").wantExit(0)
	return l.address()
}

// address returns the address of prod's service.
func (l *lab) address() string {
	l.t.Helper()
	var status struct{ URL string }
	l.json(&status, "status", "--env", "prod")
	return status.URL
}

// json reads the document that a command of Slipway prints.
func (l *lab) json(into any, args ...string) {
	l.t.Helper()
	r := l.slipway(append(args, "--json")...).wantExit(0)
	if err := json.Unmarshal([]byte(r.stdout), into); err != nil {
		l.t.Fatalf("%v\n%s", err, r)
	}
}

// startPiped starts a command of Slipway, and returns its standard output, too.
func (l *lab) startPiped(args ...string) (*exec.Cmd, io.Reader) {
	l.t.Helper()
	cmd := l.command(context.Background(), append([]string{os.Getenv(programEnv)}, args...)...)
	output, err := cmd.StdoutPipe()
	l.must(err)
	l.must(cmd.Start())
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, output
}

// get requests an address as a user of the service would.
func (l *lab) get(url string) (text string, err error) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer user-token")
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return string(body), err
}
