//go:build linux

package sandbox

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestExplainForbidden_NamesSetting(t *testing.T) {
	denied := &InitError{Report{Action: "mount /proc", Errno: syscall.EPERM, Text: "operation not permitted"}}
	cases := []struct {
		set  map[string]string
		err  error
		want string
		kind fault.Kind
	}{
		{map[string]string{"kernel.unprivileged_userns_clone": "0"}, syscall.EPERM, "sysctl -w kernel.unprivileged_userns_clone=1", fault.Denied},
		{map[string]string{"user.max_user_namespaces": "0"}, syscall.ENOSPC, "sysctl -w user.max_user_namespaces=15000", fault.Denied},
		{map[string]string{"kernel.apparmor_restrict_unprivileged_userns": "1"}, denied, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", fault.Denied},
		{map[string]string{"user.max_user_namespaces": "9000"}, syscall.EPERM, "seccomp", fault.Denied},
		{nil, errors.New("a disk full of holes"), "", fault.Internal},
	}
	for _, c := range cases {
		err := explainBy("create a container", c.err, func(name string) string { return c.set[name] })
		if fault.KindOf(err) != c.kind || !strings.Contains(fault.HintOf(err), c.want) || !errors.Is(err, c.err) {
			t.Errorf("%v with %v: %v, hint %q; want %q", c.err, c.set, err, fault.HintOf(err), c.want)
		}
	}
}
