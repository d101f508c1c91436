package sandbox

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

// ExplainForbidden returns an error that names the setting that forbids user
// namespaces, and how to change it. what is made with them: "create a container".
func ExplainForbidden(what string, err error) error {
	return explainBy(what, err, func(name string) string {
		b, _ := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/")) // missing if the kernel lacks it
		return strings.TrimSpace(string(b))
	})
}

func explainBy(what string, err error, read func(name string) string) error {
	if !isPermissionError(err) {
		return err
	}
	for _, s := range sysctls {
		if read(s.name) == s.forbidden {
			return fault.New(fault.Denied, "%s: %s = %s forbids it for unprivileged users", what, s.name, s.forbidden).
				Hint("as root: sysctl -w %s=%s (and add the line to /etc/sysctl.d/), or install bubblewrap if the distribution exempts it, or run Slipway as root", s.name, s.allowed).
				Cause(err)
		}
	}
	return fault.New(fault.Denied, "%s: this machine forbids user namespaces", what).
		Hint("check sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns; inside another container, its seccomp profile or a masked /proc may forbid them; otherwise run Slipway as root, or use a Kubernetes target").
		Cause(err)
}

// StepError is an error with the action that failed.
type StepError struct {
	Action string
	Err    error
}

func (s *StepError) Error() string { return s.Action + ": " + s.Err.Error() }

func (s *StepError) Unwrap() error { return s.Err }

// Annotate returns err as a StepError of that action, and nil for nil.
func Annotate(what string, err error) error {
	if err == nil {
		return nil
	}
	return &StepError{what, err}
}

func isPermissionError(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EUSERS)
}

// Report is how a process that sets up a sandbox tells its parent what failed.
type Report struct {
	Action string        `json:"doing"`
	Errno  syscall.Errno `json:"errno"`
	Text   string        `json:"text"`
}

// InitError is a Report as the parent's error.
type InitError struct{ Report }

func (e *InitError) Error() string { return e.Action + ": " + e.Text }

func (e *InitError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// ReportOf returns what a setup that failed tells its parent.
func ReportOf(err error) Report {
	r := Report{Action: "start", Text: err.Error()}
	var at *StepError
	if errors.As(err, &at) {
		r.Action, r.Text = at.Action, at.Err.Error()
	}
	_ = errors.As(err, &r.Errno)
	return r
}
