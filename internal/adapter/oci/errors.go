package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/slipway-cd/slipway/internal/fault"
)

// mismatchPrefix begins what the registry's client says about content that is not
// what its digest or size says; it has no type for it. A test holds it.
const mismatchPrefix = "error verifying"

// toFault makes a fault of what the registry's client returned. act is the act
// and the thing: "push mlops/api@sha256:...".
func (p repoRef) toFault(ctx context.Context, act string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	var own *fault.Error
	if errors.As(err, &own) {
		return fmt.Errorf("%s: %w", act, err)
	}
	kind, hint := p.classify(err)
	f := fault.New(kind, "%s", act).Cause(withoutAttempts(err))
	if hint != "" {
		f = f.Hint("%s", hint)
	}
	return f
}

// withoutAttempts returns why the registry can't be connected to, without the list of
// the requests that failed for it: HTTPS, and then HTTP.
func withoutAttempts(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return op
	}
	return err
}

func (p repoRef) classify(err error) (fault.Kind, string) {
	var answer *transport.Error
	var asked *url.Error
	var network net.Error
	switch text := err.Error(); {
	case isNoSpace(err):
		return fault.Exhausted, "free some space where " + p.displayName + " stores its images"
	case strings.Contains(text, mismatchPrefix):
		return fault.Corrupt, "the content in " + p.displayName + " is not what was pushed: push it again"
	case errors.As(err, &answer):
		return p.classifyResponse(answer)
	case strings.Contains(text, "credentials"):
		return fault.Denied, "check credHelpers and credsStore in Docker's config.json"
	case errors.As(err, &asked) || errors.As(err, &network) || errors.Is(err, syscall.ECONNREFUSED):
		return fault.Unavailable, "can this machine reach " + p.displayName + "?"
	case errors.Is(err, fs.ErrPermission):
		return fault.Denied, "check the owner and the permissions of the folder"
	case errors.Is(err, fs.ErrNotExist):
		return fault.NotFound, ""
	}
	return fault.Internal, ""
}

func (p repoRef) classifyResponse(a *transport.Error) (fault.Kind, string) {
	for _, d := range a.Errors {
		if d.Code == transport.DigestInvalidErrorCode {
			return fault.Corrupt, "a file changed during the upload or was already damaged: build it again"
		}
	}
	for _, d := range a.Errors {
		switch d.Code {
		case transport.NameUnknownErrorCode:
			return fault.NotFound, "create the repository in " + p.displayName + " first, or correct image.repository"
		case transport.TagInvalidErrorCode:
			return fault.Conflict, "tags of this repository are immutable, and this one has another image: delete it there, or push under another tag"
		}
	}
	switch a.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Denied, fmt.Sprintf("log in with `docker login %s`, or check the permissions of the account", p.displayName)
	case http.StatusNotFound:
		return fault.NotFound, ""
	case http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage:
		return fault.Exhausted, "the registry is out of space, or limits the size of uploads"
	case http.StatusTooManyRequests:
		return fault.Unavailable, p.displayName + " is rate limiting requests: try again later"
	}
	if a.StatusCode >= 500 {
		return fault.Unavailable, p.displayName + " is failing (5xx): try again later"
	}
	return fault.Failed, ""
}

// isNoSpace knows a full disk, also when a registry tells of it.
func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), "no space left on device") || strings.Contains(err.Error(), "disk quota exceeded")
}

func isNotFound(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

// diskFull returns the error for a disk that is full, or will be. need 0: unknown.
func diskFull(act, folder, what string, need int64, because error) error {
	said := fmt.Sprintf("no space left on %s", folder)
	if free, ok := freeSpace(folder); ok {
		said = fmt.Sprintf("no space left: %s free on %s", formatBytes(free), folder)
	}
	if need > 0 {
		said += fmt.Sprintf(", %s needs %s", what, formatBytes(need))
	}
	return fault.New(fault.Exhausted, "%s: %s", act, said).
		Hint("free some space there and run it again; `slipway cleanup` removes what no release needs").Cause(because)
}

func formatBytes(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
}
