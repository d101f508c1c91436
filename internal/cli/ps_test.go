package cli_test

import (
	"context"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// fakeSupervisors are supervisors that exit when they are told to.
type fakeSupervisors struct{ running []port.Supervisor }

func (f *fakeSupervisors) List(context.Context) ([]port.Supervisor, error) {
	return append([]port.Supervisor{}, f.running...), nil
}

func (f *fakeSupervisors) Stop(_ context.Context, s port.Supervisor) error {
	var left []port.Supervisor
	for _, r := range f.running {
		if r.PID != s.PID {
			left = append(left, r)
		}
	}
	f.running = left
	return nil
}

func newFakeSupervisors() *fakeSupervisors {
	serving := []port.SupervisedService{{Service: "shop", Environment: "prod", Release: "r-aaaaaaaaaaaa", URL: "http://127.0.0.1:18001"}}
	return &fakeSupervisors{running: []port.Supervisor{
		{PID: 11, Home: "/home/ann/shop/.slipway", Services: serving},
		{PID: 12, Home: "/home/ann/moved/.slipway", MovedTo: "/home/ann/there/.slipway", Services: serving},
		{PID: 13, Home: "/tmp/gone/.slipway", Removed: true},
	}}
}

// Lost supervisors can be seen and ended from anywhere; others only by their PID, or
// from their project.
func TestPs_AndDown(t *testing.T) {
	p, outside := newProgram(t), []string{"-C", "/"}
	for _, c := range []struct {
		name           string
		where          []string
		args           string
		code           int
		stdout, stderr string // that must be in it
		left           int
	}{
		{"list outside of a project", outside, "ps", 0, "12: its state folder /home/ann/moved/.slipway was moved to /home/ann/there/.slipway; end it with `slipway down --pid 12`", "", 3},
		{"list in a project", nil, "ps", 0, "11   shop     prod         r-aaaaaaaaaaaa  http://127.0.0.1:18001  /home/ann/shop/.slipway", "", 3},
		{"end lost ones outside of a project", outside, "down --all", 0, "supervisor 13 of /tmp/gone/.slipway has exited", "", 1},
		{"end lost ones in a project", nil, "down --all", 0, "supervisor 12 of /home/ann/moved/.slipway has exited\nsupervisor 13 of /tmp/gone/.slipway has exited\ndev is down", "", 1},
		{"end one of another project", outside, "down --pid 11", 0, "supervisor 11 of /home/ann/shop/.slipway has exited", "", 2},
		{"end a process that is none", outside, "down --pid 1", 2, "", "process 1 is not a supervisor of yours", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := newFakeSupervisors()
			p.supervisors = all
			got := p.run(append(c.where, strings.Fields(c.args)...)...)
			if got.code != c.code || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) {
				t.Errorf("exit code %d, want %d\n%s%s\nwant %q %q", got.code, c.code, got.stdout, got.stderr, c.stdout, c.stderr)
			}
			if len(all.running) != c.left {
				t.Errorf("%d supervisors are left, want %d", len(all.running), c.left)
			}
		})
	}
}

// Without a lost supervisor nothing is ended outside of a project.
func TestDown_OutsideOfProject(t *testing.T) {
	p := newProgram(t)
	all := newFakeSupervisors()
	all.running = all.running[:1]
	p.supervisors = all
	if got := p.run("-C", "/", "down", "--all"); got.code != 2 || !strings.Contains(got.stderr, "slipway ps") || len(all.running) != 1 {
		t.Errorf("exit code %d, %d left\n%s", got.code, len(all.running), got.stderr)
	}
}
