package modelfiles

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Copy takes a model out of an image. Nothing of the image is believed before
// its digest is what the release pins.
type Copy struct {
	From   string // folder with the manifest and the files' folder
	To     string // folder that is there already
	Digest string // of the manifest
	Owner  string // its unfinished files bear this name, and those of a try before it
}

// Run leaves every file of the model in c.To, read-only and on the disk, and
// returns their bytes. What is there and right is kept, what is wrong is
// replaced, and files of other names are left alone.
func (c Copy) Run() (int64, error) {
	from, err := os.OpenRoot(c.From)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", c.From, pathErrorCause(err))
	}
	defer from.Close()
	files, err := c.manifest(from)
	if err != nil {
		return 0, err
	}
	if err := checkFiles(from, files); err != nil {
		return 0, err
	}
	to, err := os.OpenRoot(c.To)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w: is the volume mounted there?", c.To, pathErrorCause(err))
	}
	defer to.Close()
	p := copier{from: from, to: to, partial: partialName(c.Owner, files), buf: make([]byte, 1<<20)}
	var total int64
	for _, f := range files {
		if err := p.copyFile(f); err != nil {
			return total, c.wrapError(f, err)
		}
		total += f.Size
	}
	return total, nil
}

// mismatchError is a file that is not the pinned one.
type mismatchError struct{ name, got, want string }

func (e *mismatchError) Error() string {
	return e.name + " is not what the release pins: " + e.got + " instead of " + e.want
}

func (c Copy) manifest(from *os.Root) ([]File, error) {
	info, err := from.Lstat(ManifestName)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ManifestName, pathErrorCause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", ManifestName)
	}
	f, err := from.Open(ManifestName)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ManifestName, pathErrorCause(err))
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, MaxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ManifestName, pathErrorCause(err))
	}
	if got := Digest(raw); got != c.Digest {
		return nil, &mismatchError{ManifestName, got, c.Digest}
	}
	files, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ManifestName, err)
	}
	return files, nil
}

// checkFiles holds the image's folder against the manifest: every file is there,
// no other one is, and none is a link.
func checkFiles(from *os.Root, files []File) error {
	missing := map[string]bool{ManifestName: true}
	for _, f := range files {
		missing[path.Join(FilesFolder, f.Title)] = true
	}
	err := fs.WalkDir(from.FS(), ".", func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read %q: %w", at, pathErrorCause(err))
		case d.IsDir():
			return nil
		case !missing[at]:
			return fmt.Errorf("%q does not belong to the model", at)
		case !d.Type().IsRegular():
			return fmt.Errorf("%q is not a regular file", at)
		}
		delete(missing, at)
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		if missing[path.Join(FilesFolder, f.Title)] {
			return fmt.Errorf("%s is missing from the image", f.Title)
		}
	}
	return nil
}

// partialName is where a file grows; no file of the model is called that.
func partialName(owner string, files []File) string {
	name := ".slipway-model." + Digest([]byte(owner))[7:23]
	for _, f := range files {
		if first, _, _ := strings.Cut(f.Title, "/"); first == name {
			name += "-"
		}
	}
	return name
}

// copier copies between two folders, neither of which is ever left.
type copier struct {
	from, to *os.Root
	partial  string
	buf      []byte
}

func (p copier) copyFile(f File) error {
	if err := p.mkdirAll(path.Dir(f.Title)); err != nil {
		return err
	}
	info, err := p.to.Lstat(f.Title)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("a folder has that name: remove it")
	case info.Mode() == 0o444 && info.Size() == f.Size && p.matches(f):
		return nil
	}
	return p.write(f)
}

// mkdirAll makes what is above a file; a link or file in its way goes.
func (p copier) mkdirAll(dir string) error {
	if dir == "." {
		return nil
	}
	if err := p.mkdirAll(path.Dir(dir)); err != nil {
		return err
	}
	info, err := p.to.Lstat(dir)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		err = p.to.Remove(dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.to.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return p.to.Chmod(dir, 0o755) // whatever the umask
}

// matches reports whether the file in its place has the right content. One that
// can't be read does not.
func (p copier) matches(f File) bool {
	there, err := p.to.Open(f.Title)
	if err != nil {
		return false
	}
	defer there.Close()
	return p.copyVerified(io.Discard, there, f) == nil
}

func (p copier) write(f File) (err error) {
	in, err := p.from.Open(path.Join(FilesFolder, f.Title))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := p.to.Remove(p.partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := p.to.OpenFile(p.partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = out.Close()
			_ = p.to.Remove(p.partial)
		}
	}()
	if err := p.copyVerified(out, in, f); err != nil {
		return err
	}
	if err := errors.Join(out.Chmod(0o444), out.Sync(), out.Close()); err != nil {
		return err
	}
	return p.to.Rename(p.partial, f.Title)
}

// copyVerified copies and compares: a byte more or less than pinned is wrong, too.
func (p copier) copyVerified(out io.Writer, in io.Reader, f File) error {
	sum := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(out, sum), struct{ io.Reader }{io.LimitReader(in, f.Size+1)}, p.buf)
	if err != nil {
		return err
	}
	if n > f.Size {
		return &mismatchError{f.Title, fmt.Sprintf("more than %d bytes", f.Size), f.Digest}
	}
	if got := digestString(sum.Sum(nil)); got != f.Digest || n != f.Size {
		return &mismatchError{f.Title, got, f.Digest}
	}
	return nil
}

func (c Copy) wrapError(f File, err error) error {
	var wrong *mismatchError
	if errors.As(err, &wrong) {
		return err
	}
	said := fmt.Errorf("copy %s to %s: %w", f.Title, c.To, pathErrorCause(err))
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: user %d needs write access: use an emptyDir, or set the pod's fsGroup for other volumes", said, os.Geteuid())
	}
	return said
}

// pathErrorCause is an error of the file system without the call and the path, which
// are said better before it.
func pathErrorCause(err error) error {
	var at *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &at):
		return at.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
