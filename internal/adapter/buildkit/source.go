package buildkit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// source is where an order's files are.
type source struct {
	context string // folder, absolute
	dir     string // folder of the Dockerfile, absolute
	file    string // its name there
}

var errOutside = errors.New("outside of the repository")

// resolveSource looks at the order before BuildKit is asked: what is wrong with the
// configuration is said in the user's words. Links may not lead out of the checkout.
func resolveSource(o port.BuildRequest) (source, error) {
	d := o.Dockerfile
	if d == nil {
		return source{}, fault.New(fault.Internal, "build %s: the request has no Dockerfile", o.Service)
	}
	file, err := resolveInside(o.Dir, d.Path)
	info, statErr := os.Stat(file)
	switch {
	case d.Path == "" || errors.Is(err, errOutside):
		return source{}, fault.New(fault.Invalid, "image.build.dockerfile: invalid path %q", d.Path).
			Hint("use a path relative to the repository root, such as server/Dockerfile")
	case err != nil || statErr != nil || !info.Mode().IsRegular():
		return source{}, fault.New(fault.Invalid, "image.build.dockerfile: file %s not found", d.Path).
			Hint("use a path relative to the repository root, such as server/Dockerfile; is it committed?")
	}
	folder, err := resolveContext(o)
	info, statErr = os.Stat(folder)
	if err != nil || statErr != nil || !info.IsDir() {
		return source{}, fault.New(fault.Invalid, "image.build.context: folder %s not found in the repository", d.Context).
			Hint("use a path relative to the repository root; is a file in it committed?")
	}
	return source{context: folder, dir: filepath.Dir(file), file: filepath.Base(file)}, nil
}

// resolveContext is the folder of the context: below the service's, or around it in
// the checkout.
func resolveContext(o port.BuildRequest) (string, error) {
	if o.Root == "" {
		return resolveInside(o.Dir, o.Dockerfile.Context)
	}
	rel, err := filepath.Rel(o.Root, filepath.Join(o.Dir, filepath.FromSlash(o.Dockerfile.Context)))
	if err != nil {
		return "", err
	}
	return resolveInside(o.Root, filepath.ToSlash(rel))
}

// resolveInside follows links from root to rel, which has to stay below it.
func resolveInside(root, rel string) (string, error) {
	if rel == "" {
		rel = "."
	}
	if !filepath.IsLocal(filepath.FromSlash(rel)) {
		return "", errOutside
	}
	top, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	full, err := filepath.EvalSymlinks(filepath.Join(top, filepath.FromSlash(rel)))
	if err != nil {
		return "", err
	}
	if full != top && !strings.HasPrefix(full, top+string(filepath.Separator)) {
		return "", errOutside
	}
	return full, nil
}

// sourceFS is a folder as git knows it: modes that depend on who checked it out, and
// attributes of this machine's file system, must not become part of the image.
func sourceFS(dir string) (fsutil.FS, error) {
	all, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, err
	}
	return fsutil.NewFilterFS(all, &fsutil.FilterOpt{Map: func(_ string, s *types.Stat) fsutil.MapResult {
		switch mode := fs.FileMode(s.Mode); {
		case mode.IsDir():
			s.Mode = uint32(fs.ModeDir | 0o755)
		case mode.IsRegular() && mode&0o100 != 0:
			s.Mode = 0o755
		case mode.IsRegular():
			s.Mode = 0o644
		}
		s.Xattrs = nil
		return fsutil.MapResultKeep
	}})
}

// sharedKey keeps one checkout's files apart from another's, so that only what
// changed is sent again.
func sharedKey(dir string) string {
	host, _ := os.Hostname()
	sum := sha256.Sum256([]byte(host + "\x00" + dir))
	return hex.EncodeToString(sum[:16])
}
