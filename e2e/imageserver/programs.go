package imageserver

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ServePrograms is Serve with an image that has programs of this machine in /bin, with the
// libraries that they are linked with: a shell and its tools, where no registry is within
// reach.
func ServePrograms(imageName string, programs []string, until io.Reader) error {
	img, err := ProgramImage(programs)
	if err != nil {
		return fmt.Errorf("make image %s: %w", imageName, err)
	}
	return serveImage(imageName, img, until)
}

var library = regexp.MustCompile(`(?m)(/\S+) \(0x`)

// ProgramImage is the image of ServePrograms.
func ProgramImage(programs []string) (v1.Image, error) {
	files := map[string]string{} // by their paths in the image
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, err
		}
		files["/bin/"+name] = path
		linked, err := exec.Command("ldd", path).Output()
		if err != nil {
			return nil, fmt.Errorf("list the libraries of %s: %w", path, err)
		}
		for _, m := range library.FindAllSubmatch(linked, -1) {
			files[string(m[1])] = string(m[1])
		}
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "tmp", Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
		return nil, err
	}
	for name, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.Clean(name)[1:], Mode: 0o755, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return mutate.AppendLayers(empty.Image, static.NewLayer(layer.Bytes(), types.DockerUncompressedLayer))
}
