package ko

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// buildError distinguishes a compile error from infrastructure errors. The
// complete output of the toolchain is written to the log.
func buildError(ctx context.Context, act string, err error, out io.Writer) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	output := err.Error()
	_, after, compiled := strings.Cut(output, "go build: ")
	if compiled {
		_, after, _ = strings.Cut(after, ": ")
		output = after
		fmt.Fprintln(out, strings.TrimSpace(output))
	}
	kind, hint := classify(output, compiled)
	f := fault.New(kind, "%s", act).Cause(errors.New(summarize(output, 8)))
	if hint != "" {
		f = f.Hint("%s", hint)
	}
	return f
}

func classify(output string, compiled bool) (fault.Kind, string) {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(output, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no space left on device", "disk quota exceeded"):
		return fault.Exhausted, "free disk space, also in the Go build cache (go env GOCACHE)"
	case has("dial tcp", "i/o timeout", "TLS handshake timeout", "proxyconnect", "connection refused", "no such host", "module lookup disabled"):
		return fault.Unavailable, "the toolchain could not download a module: can this machine reach the module proxy (go env GOPROXY)?"
	case has("no required module provides", "missing go.sum entry", "updates to go.mod needed", "go mod tidy"):
		return fault.Failed, "run `go mod tidy` and commit go.mod and go.sum"
	case has("requires go >=", "GOTOOLCHAIN=local"):
		return fault.Failed, "install the Go version that go.mod requires"
	case compiled:
		return fault.Failed, ""
	}
	return fault.Internal, ""
}

// summarize returns the lines with a source position, or else the first lines.
func summarize(output string, limit int) string {
	var places, all []string
	for line := range bytes.Lines([]byte(output)) {
		l := strings.TrimSpace(string(line))
		if l == "" {
			continue
		}
		all = append(all, l)
		if positionPattern.MatchString(l) {
			places = append(places, l)
		}
	}
	if len(places) == 0 {
		places = all
	}
	if n := len(places); n > limit {
		places = append(places[:limit:limit], fmt.Sprintf("and %d more", n-limit))
	}
	return strings.Join(places, "\n")
}
