package scan

import (
	"fmt"
	"path"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// purl is a package URL: pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH. Its
// subpath is ignored.
type purl struct{ packageurl.PackageURL }

// parsePURL reads a package URL.
func parsePURL(text string) (purl, error) {
	p, err := packageurl.FromString(text)
	if err != nil {
		return purl{}, fmt.Errorf("invalid package URL %q (want for example pkg:pypi/requests@2.31.0): %s", truncateLine(text), truncateLine(err.Error()))
	}
	switch p.Type {
	case packageurl.TypePyPi: // PEP 503; the library leaves dots as they are
		p.Name = strings.ReplaceAll(p.Name, ".", "-")
	case packageurl.TypeRPM, packageurl.TypeOCI, packageurl.TypeDocker: // scanners disagree on the case
		p.Namespace, p.Name = strings.ToLower(p.Namespace), strings.ToLower(p.Name)
	}
	return purl{p}, nil
}

func (p purl) isImage() bool { return p.Type == packageurl.TypeOCI || p.Type == packageurl.TypeDocker }

// names reports whether an image's URL means the image. Its version is a digest;
// without one it means every image of that name.
func (p purl) names(i delivery.Image) bool {
	repository := strings.ToLower(i.Repository)
	if p.Name != path.Base(repository) {
		return false
	}
	if p.Version != "" && p.Version != string(i.Digest) {
		return false
	}
	if at := strings.ToLower(p.Qualifiers.Map()["repository_url"]); at != "" && at != repository && at+"/"+p.Name != repository {
		return false
	}
	full := p.Name
	if p.Namespace != "" {
		full = p.Namespace + "/" + p.Name
	}
	return p.Namespace == "" || repository == full || strings.HasSuffix(repository, "/"+full)
}

// covers reports whether p means the package with that URL: of p's version if it
// has one, and of any otherwise. The package must have all qualifiers of p.
func (p purl) covers(other string) bool {
	o, err := parsePURL(other)
	if err != nil || p.Type != o.Type || p.Namespace != o.Namespace || p.Name != o.Name {
		return false
	}
	if p.Version != "" && p.Version != o.Version {
		return false
	}
	theirs := o.Qualifiers.Map()
	for key, value := range p.Qualifiers.Map() {
		if theirs[key] != value {
			return false
		}
	}
	return true
}
