//go:build linux

package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// fakeHolder is a container with sockets.
type fakeHolder struct {
	held     map[string]bool
	complete bool
}

func (h fakeHolder) Sockets() (map[string]bool, bool) { return h.held, h.complete }

func TestStrangerOn(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr).Port
	us := fmt.Sprintf("process %d (", os.Getpid())
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unused := free.Addr().(*net.TCPAddr).Port
	free.Close()
	for _, c := range []struct {
		name string
		port int
		b    fakeHolder
		want string // prefix; "": none
	}{
		{"the container listens", at, fakeHolder{listeners("/proc", at), true}, ""},
		{"another process listens", at, fakeHolder{nil, true}, us},
		{"another process listens, the container hides its sockets", at, fakeHolder{nil, false}, us},
		{"no process listens", unused, fakeHolder{nil, true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strangerOn("/proc", c.port, c.b); !strings.HasPrefix(got, c.want) || got != "" && c.want == "" {
				t.Errorf("strangerOn = %q, want %q", got, c.want)
			}
		})
	}
}

// TestOwnSockets: what can't be seen is not proved, unlike in TestStrangerOn.
func TestOwnSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr).Port
	for _, c := range []struct {
		name string
		port int
		b    fakeHolder
		want fault.Kind // "": proved
	}{
		{"the container listens", at, fakeHolder{listeners("/proc", at), true}, ""},
		{"another process listens", at, fakeHolder{nil, true}, fault.Failed},
		{"another process listens, the container hides its sockets", at, fakeHolder{nil, false}, fault.Failed},
		{"no process listens", 1, fakeHolder{nil, true}, fault.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			sockets, err := ownSockets("/proc", c.port, c.b)
			if (len(sockets) == 1) != (c.want == "") || err != nil && !fault.Is(err, c.want) {
				t.Errorf("ownSockets = %v, %v, want an error of kind %q", sockets, err, c.want)
			}
		})
	}
}

// TestStore_Unstage: a disk that is full does not keep a release staged.
func TestStore_Unstage(t *testing.T) {
	dir := t.TempDir()
	s := &store{dir: dir}
	e := EnvironmentState{Service: "s", Environment: "e", Port: 18001, Staged: &ReleaseSpec{Release: "r-aaaaaaaaaaaa"}}
	if err := s.put("s/e", e); err != nil {
		t.Fatal(err)
	}
	s.dir = filepath.Join(dir, "gone")
	e.Staged = nil
	if err := s.unstage("s/e", e); !fault.Is(err, fault.Exhausted) {
		t.Errorf("error = %v, want %s", err, fault.Exhausted)
	}
	if got, _ := s.get("s/e"); got.Staged != nil {
		t.Errorf("%s is staged, want no release", got.Staged.Release)
	}
	s.dir = dir // there is space again: the next change saves all
	if err := s.put("other/e", EnvironmentState{Service: "other", Environment: "e"}); err != nil {
		t.Fatal(err)
	}
	if saved, err := ReadState(dir); err != nil || saved.Environments["s/e"].Staged != nil {
		t.Errorf("saved: %+v, error = %v, want no staged release", saved.Environments["s/e"], err)
	}
}

// TestReplicaStartError: what the machine lacks is not the release's failure.
func TestReplicaStartError(t *testing.T) {
	noPorts := fault.New(fault.Exhausted, "find a free port")
	for _, c := range []struct {
		name    string
		trouble error
		kind    fault.Kind
	}{
		{"the release exits", nil, fault.Failed},
		{"disk full", startTrouble(fmt.Errorf("create the mount points: %w", &os.PathError{Op: "mkdir", Path: "/x", Err: syscall.ENOSPC})), fault.Exhausted},
		{"too many processes", startTrouble(fmt.Errorf("create namespaces: %w", syscall.EAGAIN)), fault.Exhausted},
		{"no program in the image", startTrouble(fmt.Errorf("run /app: %w", syscall.ENOENT)), fault.Failed},
		{"an entrypoint that can't be executed", startTrouble(errors.New("exec format error")), fault.Failed},
		{"all ports in use", noPorts, fault.Exhausted},
		{"its port taken again and again", fault.New(fault.Conflict, "find a port that stays free").Cause(&portTakenError{20001, "process 1 (x)"}), fault.Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &replica{cfg: &Config{}, trouble: c.trouble}
			err := r.startError(ReleaseRequest{Service: "s", Environment: "e", Release: "r-aaaaaaaaaaaa"}, port.Replica{Name: "r-aaaaaaaaaaaa-1", Cause: "why"})
			if !fault.Is(err, c.kind) || fault.IsInfrastructure(err) != (c.kind != fault.Failed) {
				t.Errorf("error = %v (%s, of the infrastructure: %v), want %s", err, fault.KindOf(err), fault.IsInfrastructure(err), c.kind)
			}
			if !strings.Contains(err.Error(), "why") || fault.HintOf(err) == "" {
				t.Errorf("error = %v, hint %q, want the cause and a hint", err, fault.HintOf(err))
			}
			// The kind survives the way to the client.
			sent := fault.AsInfrastructure(NewRemoteError(err).Err())
			if got, want := fault.IsInfrastructure(sent), c.kind != fault.Failed; got != want {
				t.Errorf("after the call: of the infrastructure: %v, want %v", got, want)
			}
		})
	}
}
