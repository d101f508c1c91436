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

// explain tells a compile error from trouble around it. What the toolchain
// said, whole, goes to the log.
func explain(ctx context.Context, act string, err error, out io.Writer) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	said := err.Error()
	_, after, compiled := strings.Cut(said, "go build: ")
	if compiled {
		_, after, _ = strings.Cut(after, ": ")
		said = after
		fmt.Fprintln(out, strings.TrimSpace(said))
	}
	kind, hint := judge(said, compiled)
	f := fault.New(kind, "%s", act).Cause(errors.New(first(said, 8)))
	if hint != "" {
		f = f.Hint("%s", hint)
	}
	return f
}

func judge(said string, compiled bool) (fault.Kind, string) {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(said, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no space left on device", "disk quota exceeded"):
		return fault.Exhausted, "make room, also where Go keeps its cache (go env GOCACHE)"
	case has("dial tcp", "i/o timeout", "TLS handshake timeout", "proxyconnect", "connection refused", "no such host", "module lookup disabled"):
		return fault.Unavailable, "the toolchain could not fetch a module: can this machine reach the module proxy (go env GOPROXY)?"
	case has("no required module provides", "missing go.sum entry", "updates to go.mod needed", "go mod tidy"):
		return fault.Failed, "run `go mod tidy` and commit go.mod and go.sum"
	case has("requires go >=", "GOTOOLCHAIN=local"):
		return fault.Failed, "install the Go version that go.mod asks for"
	case compiled:
		return fault.Failed, ""
	}
	return fault.Internal, ""
}

// first keeps the lines that name a place, or else the first ones.
func first(said string, most int) string {
	var places, all []string
	for line := range bytes.Lines([]byte(said)) {
		l := strings.TrimSpace(string(line))
		if l == "" {
			continue
		}
		all = append(all, l)
		if placed.MatchString(l) {
			places = append(places, l)
		}
	}
	if len(places) == 0 {
		places = all
	}
	if n := len(places); n > most {
		places = append(places[:most:most], fmt.Sprintf("and %d more", n-most))
	}
	return strings.Join(places, "\n")
}
