package oci

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// unpackRecord lies beside an unpacked image: what it is, and how to start it.
type unpackRecord struct {
	Digest delivery.Digest  `json:"digest"`
	Config port.ImageConfig `json:"config"`
	Form   int              `json:"form,omitempty"` // recordForm, or that of an earlier version
}

// The forms of a record and the folder beside it. Without one, the ports are missing.
const (
	withPorts  = 1
	recordForm = 2 // and only the owner can change the files
)

// readRecord reports whether dir is there already, whole.
func readRecord(dir string, want delivery.Digest) (unpackRecord, bool, error) {
	var n unpackRecord
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return n, false, nil
	}
	if err != nil {
		return n, false, fault.New(fault.FileKind(err), "read %s", dir).Cause(err)
	}
	raw, err := os.ReadFile(dir + ".json")
	if err == nil {
		err = json.Unmarshal(raw, &n)
	}
	if err != nil || n.Digest != want {
		return n, false, fault.New(fault.Conflict, "unpack %s: %s contains something else", want, dir).Hint("move it away, or choose another folder")
	}
	return n, true, nil
}

// save writes the record beside dir.
func (n unpackRecord) save(dir string) error {
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return atomicfile.Write(dir+".json", raw, 0o600)
}

// renewRecord brings an image that an older version has unpacked to the present form. If
// the registry cannot be read, how to start it stays what the older version noted.
func (p repoRef) renewRecord(n unpackRecord, dir string) (port.ImageConfig, error) {
	if err := denyOthersWrite(dir); err != nil {
		return n.Config, fault.New(fault.FileKind(err), "unpack %s: keep other users from changing %s", n.Digest, dir).Cause(err)
	}
	if n.Form < withPorts {
		config, err := p.readConfig(n.Digest)
		if err != nil {
			return n.Config, nil //nolint:nilerr // it is read again the next time
		}
		n.Config = config
	}
	n.Form = recordForm
	_ = n.save(dir) // it is done again the next time
	return n.Config, nil
}

// denyOthersWrite removes the rights of other users to change anything below dir.
func denyOthersWrite(dir string) error {
	root, err := os.OpenRoot(dir) // no link leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&othersWrite == 0 {
			return err
		}
		return root.Chmod(path, info.Mode()&(fs.ModePerm|fs.ModeSticky)&^othersWrite)
	})
}

// readConfig reads from the registry how to start an image.
func (p repoRef) readConfig(d delivery.Digest) (port.ImageConfig, error) {
	img, err := remote.Image(p.repo.Digest(string(d)), p.options...)
	if err != nil {
		return port.ImageConfig{}, err
	}
	return imageConfig(img)
}
