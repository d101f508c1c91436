package app

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Machine is the identity of a state folder, and of the processes that share its locks.
type Machine struct {
	ID   string // of the state folder, for good
	Here string // of where it is now: it may have been copied to another machine, or a CI restored it
}

// String is the machine as owners of runs are compared by.
func (m Machine) String() string { return m.ID + "-" + m.Here }

const machineName = "machine"

// identifyMachine reads the identity of the state folder, which is made once. A preview
// makes none: one that it needs is gone with it.
func identifyMachine(home string, preview bool) (Machine, error) {
	path := filepath.Join(home, machineName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw = []byte(rand.Text())
		if !preview {
			raw, err = newIdentity(path, raw)
		} else {
			err = nil
		}
	}
	if err != nil {
		return Machine{}, fmt.Errorf("identify this machine: %w", err)
	}
	id := strings.TrimSpace(string(raw))
	if id == "" || strings.ContainsFunc(id, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
		return Machine{}, fault.New(fault.Corrupt, "%s is not an identity of a machine", path).
			Hint("remove it while no run is in progress; the environments of this machine begin anew")
	}
	return Machine{ID: id, Here: whereabouts(home)}, nil
}

// newIdentity writes the identity unless another process was faster, and returns what is
// there. The file is complete from its first moment.
func newIdentity(path string, id []byte) ([]byte, error) {
	f, err := atomicfile.Create(path, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close() // a no-op once committed
	if _, err := f.Write(append(id, '\n')); err != nil {
		return nil, err
	}
	if err := f.CommitNew(); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// whereabouts is a digest of host, boot and folder, which differs between copies of a
// state folder.
func whereabouts(home string) string {
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // empty elsewhere
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s", host, boot, home, folderIdentity(home)))
	return hex.EncodeToString(sum[:6])
}
