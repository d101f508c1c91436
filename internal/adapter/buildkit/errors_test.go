package buildkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestToFault_Kinds maps the messages of BuildKit 0.34 to kinds of errors.
func TestToFault_Kinds(t *testing.T) {
	for message, want := range map[string]struct {
		kind fault.Kind
		hint string
	}{
		"failed to solve: rpc error: code = Unknown desc = write /x: no space left on device":                                                                       {fault.Exhausted, "free some space"},
		"failed to solve: docker.io/library/nope:1: failed to resolve source metadata for docker.io/library/nope:1: docker.io/library/nope:1: not found":            {fault.Failed, "docker login"},
		"failed to resolve source metadata for r.example.com/a:1: pull access denied, repository does not exist or may require authorization":                       {fault.Failed, "docker login"},
		"failed to resolve source metadata for docker.io/library/a:1: failed to do request: Head \"https://registry-1.docker.io/\": dial tcp: lookup: no such host": {fault.Unavailable, MirrorsVariable},
		"failed to resolve source metadata for r/a:1: unexpected status from HEAD request to http://r/v2/a/manifests/1: 503 Service Unavailable":                    {fault.Unavailable, "try again"},
		"failed to solve: failed to compute cache key: failed to calculate checksum of ref 1::2: \"/nope\": not found":                                              {fault.Failed, ".dockerignore"},
		"target stage \"x\" could not be found": {fault.Failed, "image.build.target"},
		"secret token: not found":               {fault.Failed, "image.build.secrets"},
		"unset ssh forward key default":         {fault.Failed, "image.build.ssh"},
		"failed to resolve source metadata for docker.io/library/a:1: no match for platform in manifest: not found": {fault.Failed, "platform"},
		"rpc error: code = Unavailable desc = error reading from server: EOF":                                       {fault.Unavailable, "stopped during"},
		"something else altogether": {fault.Internal, ""},
	} {
		t.Run(message, func(t *testing.T) {
			err := job(nil).toFault(t.Context(), "build Dockerfile of api", errors.New(message), newProgress(&bytes.Buffer{}, newRedactor(nil), func(string) {}))
			if !fault.Is(err, want.kind) {
				t.Errorf("kind of the error = %s, want %s: %v", fault.KindOf(err), want.kind, err)
			}
			hint := fault.HintOf(err)
			if want.hint == "" && hint != "" {
				t.Errorf("hint = %q, want none", hint)
			}
			if want.hint != "" && !strings.Contains(hint, want.hint) {
				t.Errorf("hint %q does not contain %q", hint, want.hint)
			}
			for _, no := range []string{"rpc error", "failed to solve"} {
				if strings.Contains(err.Error(), no) {
					t.Errorf("error %q contains %q", err, no)
				}
			}
		})
	}
}

func job(secrets map[string][]byte) buildJob {
	return buildJob{
		order:  port.BuildRequest{Service: "api", Dockerfile: &port.Dockerfile{Path: "server/Dockerfile", Secrets: secrets}},
		source: source{file: "Dockerfile"}, redactor: newRedactor(secrets),
	}
}

func TestToFault_NamesLine(t *testing.T) {
	text := "FROM a\nRUN --mount=type=secret,id=pip \\\n  pip install\n"
	placed := func(err error) error {
		return errdefs.WithSource(err, &errdefs.Source{
			Info:   &pb.SourceInfo{Filename: "Dockerfile", Data: []byte(text)},
			Ranges: []*pb.Range{{Start: &pb.Position{Line: 2}, End: &pb.Position{Line: 3}}},
		})
	}
	exit := placed(fmt.Errorf("process \"/bin/sh\" did not complete successfully: %w", &gateway.ExitError{ExitCode: 137}))
	err := job(nil).toFault(t.Context(), "build", exit, newProgress(&bytes.Buffer{}, newRedactor(nil), func(string) {}))
	if !fault.Is(err, fault.Failed) {
		t.Errorf("error of a killed command = %v, want kind %v", err, fault.Failed)
	}
	if diff := cmp.Diff("server/Dockerfile:2: RUN --mount=type=secret,id=pip \\: exit code 137 (killed: out of memory?)", err.Error()); diff != "" {
		t.Errorf("error of a killed command (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(secretHint, fault.HintOf(err)); diff != "" {
		t.Errorf("hint of a killed command (-want +got):\n%s", diff)
	}
	err = job(map[string][]byte{"pip": []byte("unknown")}).toFault(t.Context(), "build", placed(errors.New("dockerfile parse error on line 2: unknown flag")), nil)
	if want := "server/Dockerfile:2: *** flag"; !fault.Is(err, fault.Failed) || err.Error() != want {
		t.Errorf("error of the parser = %v, want %q of kind %v", err, want, fault.Failed)
	}
	full := job(nil).toFault(t.Context(), "build", fmt.Errorf("write: %w", syscall.ENOSPC), nil)
	if !fault.Is(full, fault.Exhausted) {
		t.Errorf("error of a full disk = %v, want kind %v", full, fault.Exhausted)
	}
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if err := job(nil).toFault(ctx, "build", errors.New("context canceled"), nil); !errors.Is(err, stopped) {
		t.Errorf("error with an ended context = %v, want %v", err, stopped)
	}
}
