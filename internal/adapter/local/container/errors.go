//go:build linux

package container

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/slipway-cd/slipway/internal/fault"
)

// sysctl is a kernel setting that can forbid user namespaces.
type sysctl struct {
	name, forbidden, allowed string
}

var sysctls = [...]sysctl{
	{"kernel.unprivileged_userns_clone", "0", "1"},
	{"user.max_user_namespaces", "0", "15000"},
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
}

// explainForbidden returns an error that names the setting that forbids user
// namespaces, and how to change it.
func explainForbidden(err error) error {
	return explainForbiddenBy(err, func(name string) string {
		b, _ := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/")) // missing if the kernel lacks it
		return strings.TrimSpace(string(b))
	})
}

func explainForbiddenBy(err error, read func(name string) string) error {
	if !isPermissionError(err) {
		return err
	}
	for _, s := range sysctls {
		if read(s.name) == s.forbidden {
			return fault.New(fault.Denied, "create a container: %s = %s forbids it for unprivileged users", s.name, s.forbidden).
				Hint("as root: sysctl -w %s=%s (and add the line to /etc/sysctl.d/), or install bubblewrap if the distribution exempts it, or run Slipway as root", s.name, s.allowed).
				Cause(err)
		}
	}
	return fault.New(fault.Denied, "create a container: this machine forbids user namespaces").
		Hint("check sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns; inside another container, its seccomp profile or a masked /proc may forbid them; otherwise run Slipway as root, or use a Kubernetes target").
		Cause(err)
}

// initError is an error with the action that failed.
type initError struct {
	action string
	err    error
}

func (s *initError) Error() string { return s.action + ": " + s.err.Error() }

func (s *initError) Unwrap() error { return s.err }

func annotate(what string, err error) error {
	if err == nil {
		return nil
	}
	return &initError{what, err}
}

func isPermissionError(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EUSERS)
}
