//go:build linux

package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	bpfseccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// seccompFilter returns the program that decides which system calls a container may
// make: containerd's default profile for a process without capabilities, on this
// architecture.
func seccompFilter() ([]bpf.RawInstruction, error) {
	known, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	profile := seccomp.DefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	if profile.DefaultAction != specs.ActErrno {
		return nil, fmt.Errorf("default action %s of the profile is not supported", profile.DefaultAction)
	}
	policy, err := seccompPolicy(profile.Syscalls, known.SyscallNames)
	if err != nil {
		return nil, err
	}
	program, err := policy.Assemble()
	if err != nil {
		return nil, err
	}
	return bpf.Assemble(program)
}

// seccompPolicy translates the rules of a profile. The names that this architecture
// lacks are left out.
func seccompPolicy(rules []specs.LinuxSyscall, known map[string]int) (bpfseccomp.Policy, error) {
	allowed := bpfseccomp.SyscallGroup{Action: bpfseccomp.ActionAllow}
	refused := bpfseccomp.Policy{DefaultAction: bpfseccomp.ActionErrno}
	always := map[string]bool{}
	for _, rule := range rules {
		for _, name := range rule.Names {
			_, exists := known[name]
			switch {
			case !exists || always[name]:
			case rule.Action == specs.ActErrno && rule.ErrnoRet != nil && len(rule.Args) == 0:
				action := bpfseccomp.ActionErrno | bpfseccomp.Action(*rule.ErrnoRet)
				refused.Syscalls = append(refused.Syscalls, bpfseccomp.SyscallGroup{Names: []string{name}, Action: action})
			case rule.Action != specs.ActAllow:
				return refused, fmt.Errorf("action %s for %s is not supported", rule.Action, name)
			case len(rule.Args) == 0:
				always[name] = true
				allowed.Names = append(allowed.Names, name)
			default:
				conditions, err := seccompConditions(rule.Args)
				if err != nil {
					return refused, fmt.Errorf("%s: %w", name, err)
				}
				allowed.NamesWithCondtions = append(allowed.NamesWithCondtions, bpfseccomp.NameWithConditions{Name: name, Conditions: conditions})
			}
		}
	}
	refused.Syscalls = append(refused.Syscalls, allowed)
	return refused, nil
}

func seccompConditions(args []specs.LinuxSeccompArg) (all bpfseccomp.ArgumentConditions, err error) {
	for _, a := range args {
		c := bpfseccomp.Condition{Argument: uint32(a.Index), Value: a.Value}
		switch {
		case a.Op == specs.OpEqualTo:
			c.Operation = bpfseccomp.Equal
		case a.Op == specs.OpLessThan:
			c.Operation = bpfseccomp.LessThan
		case a.Op == specs.OpMaskedEqual && a.ValueTwo == 0:
			c.Operation = bpfseccomp.BitsNotSet
		default:
			return nil, fmt.Errorf("condition %s %d %d is not supported", a.Op, a.Value, a.ValueTwo)
		}
		all = append(all, c)
	}
	return all, nil
}

// SeccompProgram is the program in the kernel's form, as bwrap reads it.
func SeccompProgram() ([]byte, error) {
	program, err := seccompFilter()
	if err != nil {
		return nil, fmt.Errorf("make the filter of system calls: %w", err)
	}
	raw := make([]byte, 0, 8*len(program))
	for _, i := range program {
		raw = binary.NativeEndian.AppendUint16(raw, i.Op)
		raw = append(raw, i.Jt, i.Jf)
		raw = binary.NativeEndian.AppendUint32(raw, i.K)
	}
	return raw, nil
}

// LoadSeccomp forbids this thread, and what it executes, all system calls that a
// service has no use for. It needs no_new_privs. A kernel without filters is told in
// the service's log.
func LoadSeccomp() error {
	raw, err := SeccompProgram()
	if err != nil {
		return Annotate("forbid system calls", err)
	}
	program := unix.SockFprog{Len: uint16(len(raw) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&raw[0]))} //nolint:gosec // the kernel's interface
	err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)  //nolint:gosec // the same
	if errors.Is(err, unix.EINVAL) {
		fmt.Fprintln(os.Stderr, "slipway: this kernel has no seccomp filters: the service may make all system calls")
		return nil
	}
	return Annotate("forbid system calls", err)
}
