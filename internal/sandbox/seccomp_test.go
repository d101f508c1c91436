//go:build linux

package sandbox

import (
	"encoding/binary"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	seccompAllow = unix.SECCOMP_RET_ALLOW
	seccompEPERM = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	seccompNosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// TestSeccomp_Refused: the calls that a service has no use for, and that have opened
// ways out of containers.
func TestSeccomp_Refused(t *testing.T) {
	decide := seccompVerdict(t)
	for name, args := range map[string][]uint64{
		"acct": nil, "add_key": nil, "bpf": nil, "clock_settime": nil, "delete_module": nil, "finit_module": nil, "fsopen": nil, "fsmount": nil,
		"init_module": nil, "io_uring_enter": nil, "io_uring_register": nil, "io_uring_setup": nil, "kcmp": nil, "kexec_load": nil, "kexec_file_load": nil, "keyctl": nil,
		"mount": nil, "mount_setattr": nil, "move_mount": nil, "move_pages": nil, "open_by_handle_at": nil, "open_tree": nil, "perf_event_open": nil,
		"pivot_root": nil, "quotactl": nil, "reboot": nil, "request_key": nil, "set_mempolicy": nil, "setdomainname": nil, "sethostname": nil, "setns": nil,
		"settimeofday": nil, "swapoff": nil, "swapon": nil, "syslog": nil, "umount2": nil, "unshare": nil, "userfaultfd": nil, "vhangup": nil,
		"clone":       {unix.CLONE_NEWUSER | uint64(unix.SIGCHLD)},
		"personality": {0x1234},
		"socket":      {unix.AF_ALG},
	} {
		if got := decide(name, args...); got != seccompEPERM {
			t.Errorf("%s %v: verdict %#x, want EPERM (%#x)", name, args, got, seccompEPERM)
		}
	}
	if got := decide("clone3"); got != seccompNosys {
		t.Errorf("clone3: verdict %#x, want ENOSYS, on which libc uses clone", got)
	}
	if got := decide("socket", unix.AF_VSOCK); got != seccompEPERM {
		t.Errorf("socket AF_VSOCK: verdict %#x, want EPERM", got)
	}
}

// TestSeccomp_Allowed: what servers do.
func TestSeccomp_Allowed(t *testing.T) {
	decide := seccompVerdict(t)
	threadFlags := uint64(unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD)
	for name, args := range map[string][]uint64{
		"accept4": nil, "bind": nil, "connect": nil, "copy_file_range": nil, "epoll_pwait2": nil, "eventfd2": nil, "execve": nil, "fcntl": nil, "futex": nil,
		"getcpu": nil, "getrandom": nil, "inotify_init1": nil, "listen": nil, "madvise": nil, "membarrier": nil, "memfd_create": nil, "mlock": nil, "mmap": nil,
		"mprotect": nil, "openat2": nil, "pidfd_open": nil, "ppoll": nil, "prctl": nil, "pread64": nil, "recvmmsg": nil, "rseq": nil, "sched_getaffinity": nil,
		"sched_setaffinity": nil, "sendfile": nil, "set_robust_list": nil, "sigaltstack": nil, "splice": nil, "statx": nil, "tgkill": nil, "timerfd_create": nil, "wait4": nil,
		"clone":       {threadFlags},
		"personality": {0},
		"socket":      {unix.AF_INET6},
	} {
		if got := decide(name, args...); got != seccompAllow {
			t.Errorf("%s %v: verdict %#x, want it allowed", name, args, got)
		}
	}
}

// TestSeccomp_OtherABI: the calls of another architecture, which this kernel also
// takes, are refused as a whole.
func TestSeccomp_OtherABI(t *testing.T) {
	run := seccompMachine(t)
	if got := run(0, uint32(arch.I386.ID)); got != seccompEPERM {
		t.Errorf("a call of i386: verdict %#x, want EPERM", got)
	}
}

// seccompVerdict returns what the filter decides about a call by name.
func seccompVerdict(t *testing.T) func(name string, args ...uint64) uint32 {
	t.Helper()
	known, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	run := seccompMachine(t)
	return func(name string, args ...uint64) uint32 {
		t.Helper()
		number, ok := known.SyscallNames[name]
		if !ok {
			t.Fatalf("%s does not exist on %s", name, known.Name)
		}
		return run(uint32(number), uint32(known.ID), args...)
	}
}

// seccompMachine runs the filter as the kernel does. The machine of x/net/bpf reads
// words in network order, so they are written so.
func seccompMachine(t *testing.T) func(number, architecture uint32, args ...uint64) uint32 {
	t.Helper()
	raw, err := seccompFilter()
	if err != nil {
		t.Fatal(err)
	}
	program, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("the filter has instructions that can't be disassembled")
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return func(number, architecture uint32, args ...uint64) uint32 {
		t.Helper()
		data := binary.BigEndian.AppendUint32(nil, number)
		data = binary.BigEndian.AppendUint32(data, architecture)
		data = binary.BigEndian.AppendUint64(data, 0)
		for i := range 6 {
			var arg uint64
			if i < len(args) {
				arg = args[i]
			}
			data = binary.BigEndian.AppendUint32(data, uint32(arg)) // the kernel's order on little-endian machines
			data = binary.BigEndian.AppendUint32(data, uint32(arg>>32))
		}
		verdict, err := vm.Run(data)
		if err != nil {
			t.Fatal(err)
		}
		return uint32(verdict)
	}
}
