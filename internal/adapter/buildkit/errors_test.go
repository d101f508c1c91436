package buildkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestInstallError holds the kinds against what BuildKit 0.34 says.
func TestExplain(t *testing.T) {
	for said, want := range map[string]struct {
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
		err := job(nil).toFault(t.Context(), "build Dockerfile of api", errors.New(said), newProgress(&bytes.Buffer{}, newRedactor(nil), func(string) {}))
		if !fault.Is(err, want.kind) || want.hint == "" != (fault.HintOf(err) == "") || !strings.Contains(fault.HintOf(err), want.hint) {
			t.Errorf("%s:\n%v, %s (%s)", said, err, fault.KindOf(err), fault.HintOf(err))
		}
		if strings.Contains(err.Error(), "rpc error") || strings.Contains(err.Error(), "failed to solve") {
			t.Errorf("the libraries' words are left: %v", err)
		}
	}
}

func job(secrets map[string][]byte) buildJob {
	return buildJob{
		order:  port.BuildRequest{Service: "api", Dockerfile: &port.Dockerfile{Path: "server/Dockerfile", Secrets: secrets}},
		source: source{file: "Dockerfile"}, redactor: newRedactor(secrets),
	}
}

func TestExplainPlaces(t *testing.T) {
	text := "FROM a\nRUN --mount=type=secret,id=pip \\\n  pip install\n"
	placed := func(err error) error {
		return errdefs.WithSource(err, &errdefs.Source{
			Info:   &pb.SourceInfo{Filename: "Dockerfile", Data: []byte(text)},
			Ranges: []*pb.Range{{Start: &pb.Position{Line: 2}, End: &pb.Position{Line: 3}}},
		})
	}
	exit := placed(fmt.Errorf("process \"/bin/sh\" did not complete successfully: %w", &gateway.ExitError{ExitCode: 137}))
	err := job(nil).toFault(t.Context(), "build", exit, newProgress(&bytes.Buffer{}, newRedactor(nil), func(string) {}))
	if want := "server/Dockerfile:2: RUN --mount=type=secret,id=pip \\: exit code 137 (killed: out of memory?)"; !fault.Is(err, fault.Failed) || err.Error() != want || fault.HintOf(err) != secretHint {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	err = job(map[string][]byte{"pip": []byte("unknown")}).toFault(t.Context(), "build", placed(errors.New("dockerfile parse error on line 2: unknown flag")), nil)
	if !fault.Is(err, fault.Failed) || err.Error() != "server/Dockerfile:2: *** flag" {
		t.Errorf("%v", err)
	}
	full := job(nil).toFault(t.Context(), "build", fmt.Errorf("write: %w", syscall.ENOSPC), nil)
	if !fault.Is(full, fault.Exhausted) {
		t.Errorf("%v", full)
	}
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if err := job(nil).toFault(ctx, "build", errors.New("context canceled"), nil); !errors.Is(err, stopped) {
		t.Errorf("%v", err)
	}
}
