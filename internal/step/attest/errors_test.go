package attest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestRun_Refused(t *testing.T) {
	cases := []struct {
		name string
		set  func(t *testing.T, s *fixture, r *step.Request, w *step.AttestParams)
		kind fault.Kind
		says string
	}{
		{"no key", func(_ *testing.T, s *fixture, _ *step.Request, _ *step.AttestParams) { delete(s.env, "COSIGN_KEY") }, fault.Invalid, "COSIGN_KEY, which is not set"},
		{"no passphrase", func(_ *testing.T, s *fixture, _ *step.Request, _ *step.AttestParams) {
			delete(s.env, "COSIGN_PASSWORD")
		}, fault.Invalid, "COSIGN_PASSWORD"},
		{"no file", func(_ *testing.T, s *fixture, _ *step.Request, _ *step.AttestParams) {
			s.env["COSIGN_KEY"] = "/nowhere/hunter2"
		}, fault.Invalid, "read the signing key"},
		{"in the repository", func(t *testing.T, s *fixture, _ *step.Request, _ *step.AttestParams) {
			s.env["COSIGN_KEY"] = write(t, filepath.Join(s.repo, "keys", "cosign.key"))
		}, fault.Denied, "inside the repository"},
		{"in the repository, relative", func(t *testing.T, s *fixture, _ *step.Request, _ *step.AttestParams) {
			write(t, filepath.Join(s.repo, "cosign.key"))
			s.env["COSIGN_KEY"] = "cosign.key"
		}, fault.Denied, "inside the repository"},
		{"above the service, in the repository", func(t *testing.T, s *fixture, r *step.Request, _ *step.AttestParams) {
			write(t, filepath.Join(s.repo, ".git", "HEAD"))
			r.RepositoryDir = filepath.Dir(write(t, filepath.Join(s.repo, "services", "api", "slipway.yaml")))
			s.env["COSIGN_KEY"] = write(t, filepath.Join(s.repo, "cosign.key"))
		}, fault.Denied, "inside the repository"},
		{"by a link into it", func(t *testing.T, s *fixture, _ *step.Request, _ *step.AttestParams) {
			link := filepath.Join(t.TempDir(), "key")
			if err := os.Symlink(write(t, filepath.Join(s.repo, "cosign.key")), link); err != nil {
				t.Fatal(err)
			}
			s.env["COSIGN_KEY"] = link
		}, fault.Denied, "inside the repository"},
		{"a secret in the parameters", func(_ *testing.T, _ *fixture, _ *step.Request, w *step.AttestParams) {
			w.Build = json.RawMessage(`{"args":["hunter2-hunter2"]}`)
		}, fault.Denied, "would contain the value of a secret"},
		{"nothing pushed", func(_ *testing.T, _ *fixture, r *step.Request, _ *step.AttestParams) { delete(r.Inputs, "push") }, fault.Internal, "no push step"},
		{"model is another", func(t *testing.T, s *fixture, r *step.Request, _ *step.AttestParams) {
			other := s.ref
			other.Digest = fake.Digest(99)
			r.Inputs["register"] = raw(t, step.RegisterOutput{Model: other})
		}, fault.Corrupt, "is registered with digest"},
		{"registry away", func(_ *testing.T, s *fixture, _ *step.Request, _ *step.AttestParams) {
			s.store.Fail = fault.New(fault.Unavailable, "no answer")
		}, fault.Unavailable, "no answer"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			r := s.ask(t, func(r *step.Request, w *step.AttestParams) { c.set(t, s, r, w) })
			_, err := s.step().Run(t.Context(), r)
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s: %s", err, c.kind, c.says)
			}
			if err != nil && strings.Contains(err.Error()+fault.HintOf(err), "hunter2") {
				t.Errorf("a secret is in %v", err)
			}
			s.store.Fail = nil
			if n := len(s.held(t)); n != 0 {
				t.Errorf("%d statements were attached", n)
			}
		})
	}
}

func write(t *testing.T, path string) string {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte("ann"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
