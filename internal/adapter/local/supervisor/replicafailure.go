//go:build linux

package supervisor

import (
	"cmp"
	"errors"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// explain returns the cause of the end of a container, and remembers what to do
// about it. The error is that of the machine, if the release is not to blame.
func (r *replica) explain(exit container.Exit, problem error) (cause string, err error) {
	hint, stopped := readOnlyHint(r.log.tail()), false
	wrong, hung := (*wrongPortError)(nil), (*hungError)(nil)
	switch {
	case errors.As(problem, &wrong):
		cause, hint, stopped = wrong.Error(), wrong.Hint(), true
	case errors.As(problem, &hung):
		cause, stopped = hung.Error()+formatTail(r.log.tail()), true
	case problem != nil:
		cause, err = problem.Error(), problem
	case hint != "":
		cause = exit.String() + " after a write to its read-only root file system" + formatTail(r.log.tail())
	default:
		cause = exit.String() + formatTail(r.log.tail())
	}
	r.mu.Lock()
	r.hint, r.stopped = hint, stopped
	r.mu.Unlock()
	return cause, err
}

// startTrouble returns the error of a start if the machine is to blame: it has run
// out of disk space, memory, processes or open files.
func startTrouble(err error) error {
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.Unavailable) { // no namespaces are permitted, or the files are gone
		return err
	}
	if fault.FileKind(err) != fault.Exhausted {
		return nil
	}
	return fault.New(fault.Exhausted, "start a container").Cause(err)
}

// startError is the error of a release with a replica that failed.
func (r *replica) startError(o ReleaseRequest, status port.Replica) error {
	r.mu.Lock()
	hint, stopped, trouble := r.hint, r.stopped, r.trouble
	r.mu.Unlock()
	f := r.failure("start %s: %s exited: %s", o, status.Name, status.Cause)
	if stopped {
		f = r.failure("start %s: %s: %s", o, status.Name, status.Cause)
	}
	if lost := r.cfg.folder.checkContent(r.spec.Rootfs, r.spec.Model); lost != nil {
		return r.failure("start %s: %v", o, lost).Hint("%s", fault.HintOf(lost))
	}
	if fault.IsInfrastructure(f) {
		return r.failure("start %s: this machine could not run %s: %s", o, status.Name, status.Cause).
			Hint("%s", cmp.Or(fault.HintOf(trouble), "the release was not tried, and the previous one is unaffected: fix the machine, and run again"))
	}
	return f.Hint("%s", cmp.Or(hint, startHint(status.Cause)))
}

// startHint is what to do about a release that can't start.
func startHint(cause string) string {
	if strings.HasPrefix(cause, "out of memory") {
		return "raise deploy.memory, or let the service use less; the previous release is unaffected"
	}
	return "fix what made it exit; the previous release is unaffected"
}

// failure returns the failure of this replica as one of the release, or of the
// machine.
func (r *replica) failure(format string, args ...any) *fault.Error {
	r.mu.Lock()
	trouble := r.trouble
	r.mu.Unlock()
	if trouble == nil {
		trouble = r.cfg.folder.checkContent(r.spec.Rootfs, r.spec.Model)
	}
	if trouble == nil {
		return fault.New(fault.Failed, format, args...)
	}
	return fault.New(fault.KindOf(trouble), format, args...).Infrastructure()
}

// formatTail formats the end of a log for an error.
func formatTail(lines []string) string {
	if len(lines) == 0 {
		return "; it printed nothing"
	}
	return delivery.LogHeading + "\n  " + strings.Join(lines, "\n  ")
}
