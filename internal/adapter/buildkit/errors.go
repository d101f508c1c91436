package buildkit

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"syscall"

	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"google.golang.org/grpc/codes"

	"github.com/moby/buildkit/util/grpcerrors"

	"github.com/slipway-cd/slipway/internal/fault"
)

// toFault makes a fault of what BuildKit said: what is wrong with the Dockerfile
// has its line, and a command that failed the last that it printed.
func (w buildJob) toFault(ctx context.Context, act string, err error, seen *progress) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	text := w.redactor.Text(stripPrefixes(err.Error()))
	at, line := w.dockerfileLine(err)
	kind, hint := classify(text, at != "")
	var exit *gateway.ExitError
	if errors.As(err, &exit) && kind != fault.Exhausted {
		kind, hint = fault.Failed, w.missingMount(line)
		text = w.exitMessage(line, exit.ExitCode, seen)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		kind, hint = fault.Exhausted, roomHint
	}
	f := fault.New(kind, "%s", act).Cause(errors.New(text))
	if at != "" {
		f = fault.New(kind, "%s", text).Location(at)
	}
	if hint != "" {
		f = f.Hint("%s", hint)
	}
	return f
}

// exitMessage describes a command that failed.
func (w buildJob) exitMessage(line string, code uint32, seen *progress) string {
	said := fmt.Sprintf("%s: exit code %d", line, code)
	if line == "" {
		said = fmt.Sprintf("a command failed with exit code %d", code)
	}
	if code == 137 {
		said += " (killed: out of memory?)"
	}
	if last := seen.failedOutput(); len(last) > 0 {
		said += "; its output ends with\n" + strings.Join(last, "\n")
	}
	return said
}

const (
	secretHint = `name it in the file: image.build.secrets: {id: "${NAME}"}`
	sshHint    = "let the build use your SSH agent: image.build.ssh: true"
)

var secretID = regexp.MustCompile(`type=secret[^ ]*?\bid=([A-Za-z0-9_.-]+)`)

// missingMount returns what a command wanted to mount and did not get: BuildKit lets it run
// without.
func (w buildJob) missingMount(line string) string {
	for _, m := range secretID.FindAllStringSubmatch(line, -1) {
		if _, given := w.order.Dockerfile.Secrets[m[1]]; !given {
			return secretHint
		}
	}
	if strings.Contains(line, "type=ssh") && !w.order.Dockerfile.SSH {
		return sshHint
	}
	return ""
}

// dockerfileLine is the line of the Dockerfile that an error is about ("server/Dockerfile:7"),
// and what stands there.
func (w buildJob) dockerfileLine(err error) (at, line string) {
	sources := errdefs.Sources(err)
	for i := len(sources) - 1; i >= 0; i-- {
		s := sources[i]
		if s.Info == nil || path.Base(s.Info.Filename) != w.source.file || len(s.Ranges) == 0 {
			continue
		}
		n := int(s.Ranges[0].Start.Line)
		lines := strings.Split(string(s.Info.Data), "\n")
		if n < 1 || n > len(lines) {
			continue
		}
		return fmt.Sprintf("%s:%d", path.Clean(w.order.Dockerfile.Path), n), w.redactor.Text(oneLine(lines[n-1]))
	}
	return "", ""
}

var (
	// noisePrefixes is what the libraries put before what happened.
	noisePrefixes = regexp.MustCompile(`^(failed to solve: |rpc error: code = \w+ desc = |failed to receive status: |process ".*" did not complete successfully: )+`)
	// parsePrefix is told by the place already.
	parsePrefix = regexp.MustCompile(`^dockerfile parse error on line \d+: `)
)

func stripPrefixes(text string) string {
	return parsePrefix.ReplaceAllString(noisePrefixes.ReplaceAllString(text, ""), "")
}

const roomHint = "free some space where BuildKit and Slipway keep their state (`slipway cleanup`)"

// classify picks the kind and what can be done. placed: it is about a line of the Dockerfile.
func classify(text string, placed bool) (fault.Kind, string) {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no space left on device", "disk quota exceeded"):
		return fault.Exhausted, roomHint
	case has("dial tcp", "i/o timeout", "TLS handshake timeout", "no such host", "connection refused", "connection reset", "network is unreachable", "x509:", "server gave HTTP response"):
		return fault.Unavailable, "can BuildKit reach the registry? A mirror may stand in for it: " + MirrorsVariable + "=docker.io=http://127.0.0.1:5000"
	case has("unexpected status from", "toomanyrequests", "Too Many Requests") && has(" 429 ", " 500 ", " 502 ", " 503 ", " 504 ", "toomanyrequests"):
		return fault.Unavailable, "the registry is failing or rate limiting requests: try again later"
	case has("no match for platform", "exec format error"):
		return fault.Failed, "the base image or this machine does not support that platform: check image.build.platforms; other platforms need an emulator (qemu's binfmt)"
	case has("failed to resolve source metadata", "pull access denied", "failed to load cache key", "insufficient_scope", "authorization failed") && has("not found", "denied", "authorization", "403", "401"):
		return fault.Failed, "image not found: check its name; a private image needs `docker login`; an image of a mirror needs " + MirrorsVariable
	case has("failed to calculate checksum", "failed to compute cache key") && has("not found"):
		return fault.Failed, "is the file committed, below image.build.context, and not in .dockerignore?"
	case has("target stage"):
		return fault.Failed, "check image.build.target"
	case has("secret ") && has("not found"):
		return fault.Failed, secretHint
	case has("unset ssh forward key", "no SSH key", "ssh forward"):
		return fault.Failed, sshHint
	case placed, has("Dockerfile", "dockerfile"):
		return fault.Failed, ""
	case has("code = Unavailable", "error reading from server", "transport is closing", "EOF"):
		return fault.Unavailable, "BuildKit stopped during the build: run it again"
	}
	return fault.Internal, ""
}

// connectionError is an error of the connection in one line, without the library's wrapping.
func connectionError(err error) error {
	if grpcerrors.Code(err) == codes.Unavailable {
		if _, after, ok := strings.Cut(err.Error(), "Error while dialing: "); ok {
			return errors.New(strings.TrimSuffix(after, `"`))
		}
	}
	return errors.New(stripPrefixes(oneLine(err.Error())))
}
