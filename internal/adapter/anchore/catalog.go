package anchore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	stfile "github.com/anchore/stereoscope/pkg/file"
	"github.com/anchore/stereoscope/pkg/image"
	"github.com/anchore/syft/syft"
	"github.com/anchore/syft/syft/cataloging"
	"github.com/anchore/syft/syft/cataloging/filecataloging"
	"github.com/anchore/syft/syft/format/syftjson"
	"github.com/anchore/syft/syft/sbom"
	"github.com/anchore/syft/syft/source"
	"github.com/anchore/syft/syft/source/stereoscopesource"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// catalogVersion changes when lists that were kept can't be used any more.
const catalogVersion = 1

// packages is what one platform of the image is made of, as syft's own document
// has it. It always comes out of that document, kept or not, so that what is
// made of it does not depend on whether it was kept.
func (s *Scanner) packages(ctx context.Context, p platform, name delivery.Image, keep string) (*sbom.SBOM, error) {
	file := filepath.Join(keep, fmt.Sprintf("packages-%s-v%d-syft%s.json", p.digest.Short(), catalogVersion, moduleVersion("github.com/anchore/syft")))
	if keep != "" {
		if list, ok := readCached(file); ok {
			return list, nil
		}
	}
	raw, err := s.catalog(ctx, p, name)
	if err != nil {
		return nil, err
	}
	list, err := decode(raw)
	if err != nil {
		return nil, fault.New(fault.Internal, "list the packages of %s", name).Cause(err)
	}
	if keep == "" {
		return list, nil
	}
	return list, writeFile(file, raw)
}

func decode(raw []byte) (*sbom.SBOM, error) {
	list, _, _, err := syftjson.NewFormatDecoder().Decode(bytes.NewReader(raw))
	return list, err
}

// readCached reads a list of the past. One that can't be read is made again.
func readCached(file string) (*sbom.SBOM, bool) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, false
	}
	list, err := decode(raw)
	return list, err == nil && list != nil
}

// catalog reads the image, all of its layers, and nothing else: the source is
// made by hand, so none can be looked for at a daemon or a registry.
func (s *Scanner) catalog(ctx context.Context, p platform, name delivery.Image) (raw []byte, err error) {
	tmp, err := os.MkdirTemp("", "slipway-scan-")
	if err != nil {
		return nil, fault.New(fault.Exhausted, "create a temporary folder for the layers").Cause(err)
	}
	defer os.RemoveAll(tmp)
	gen := stfile.NewTempDirGenerator(tmp)
	img := image.New(fastGzipImage{p.image}, gen, tmp, image.WithManifestDigest(string(p.digest)))
	if err := img.Read(ctx); err != nil {
		return nil, readError(ctx, "read the layers of "+name.String(), err)
	}
	src := stereoscopesource.New(img, stereoscopesource.ImageConfig{Reference: reference(name)})
	defer func() { err = errors.Join(err, src.Close()) }()
	licences, err := s.licenses()
	if err != nil {
		return nil, fault.New(fault.Internal, "load the license scanner").Cause(err)
	}
	list, err := syft.CreateSBOM(mergedContext{ctx, licences}, src, syftConfig())
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, readError(ctx, "list the packages of "+name.String(), err)
	}
	var out bytes.Buffer
	err = syftjson.NewFormatEncoder().Encode(&out, *list)
	return out.Bytes(), err
}

// mergedContext is a context with the values of another one besides its own.
type mergedContext struct {
	context.Context
	other context.Context
}

// Value looks in both.
func (k mergedContext) Value(key any) any {
	if v := k.Context.Value(key); v != nil {
		return v
	}
	return k.other.Value(key)
}

func reference(i delivery.Image) string {
	if i.Repository == "" {
		return string(i.Digest)
	}
	return i.String()
}

// syftConfig are what syft looks for. Files with what was to be installed count as
// well as what is installed: a lock file in an image is usually all that is left
// of a bundled program. Nothing is asked on the network, and nothing of this
// machine (caches, vendored modules) gets in.
func syftConfig() *syft.CreateSBOMConfig {
	c := syft.DefaultCreateSBOMConfig().
		WithCatalogerSelection(cataloging.NewSelectionRequest().WithDefaults("image").
			WithAdditions("python-package-cataloger", "javascript-lock-cataloger")).
		WithUnknownsConfig(cataloging.UnknownsConfig{})
	c.Files = filecataloging.DefaultConfig()
	c.Packages.Golang = c.Packages.Golang.WithSearchLocalModCacheLicenses(false).WithSearchLocalVendorLicenses(false).
		WithSearchRemoteLicenses(false).WithCaptureSymbols(cataloging.SymbolScopeAll)
	c.Packages.JavaArchive.UseNetwork = false
	c.Packages.JavaScript.SearchRemoteLicenses = false
	c.Packages.Python.SearchRemoteLicenses = false
	c.Search.Scope = source.SquashedScope
	return c
}

// writeFile writes a file whole or not at all.
func writeFile(file string, data []byte) error {
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = atomicfile.Write(file, data, 0o644)
	}
	if err != nil {
		return writeError(file, err)
	}
	return nil
}

func writeError(file string, err error) error {
	return fault.New(fault.Unavailable, "write %s", file).Cause(err).Hint("free some space on the disk, or make the folder writable for you")
}

// readError is why an image could not be read: its own fault, the disk's, or that
// no caller waits for any more.
func readError(ctx context.Context, act string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return fault.New(fault.Unavailable, "%s", act).Cause(err).Hint("free some space on the disk, or make the folder writable for you")
	}
	return fault.New(fault.Corrupt, "%s", act).Cause(err).Hint("build the image again")
}
