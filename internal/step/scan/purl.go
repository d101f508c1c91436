package scan

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// purl is a package URL: pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH,
// without its subpath.
type purl struct {
	kind, namespace, name, version string
	qualifiers                     url.Values
}

// parsePURL reads a package URL. Names are compared as their ecosystem does it.
func parsePURL(text string) (purl, error) {
	bad := func(why string) (purl, error) {
		return purl{}, fmt.Errorf("%q is no package URL such as pkg:pypi/requests@2.31.0: %s", truncateLine(text), why)
	}
	rest, ok := strings.CutPrefix(text, "pkg:")
	if !ok {
		return bad("it does not start with pkg:")
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	var p purl
	var err error
	if p.qualifiers, err = url.ParseQuery(query); err != nil {
		return bad("its qualifiers can't be read")
	}
	kind, rest, ok := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	if !ok || kind == "" {
		return bad("it has no type")
	}
	if i := strings.LastIndex(rest, "@"); i > 0 { // a scope such as @angular comes first
		if p.version, err = url.PathUnescape(rest[i+1:]); err != nil {
			return bad("its version can't be read")
		}
		rest = rest[:i]
	}
	if rest, err = url.PathUnescape(strings.Trim(rest, "/")); err != nil || rest == "" {
		return bad("it has no name")
	}
	p.kind = strings.ToLower(kind)
	p.namespace, p.name = path.Split(rest)
	p.namespace = strings.Trim(p.namespace, "/")
	p.fold()
	return p, nil
}

// fold makes names that mean the same the same.
func (p *purl) fold() {
	switch p.kind {
	case "pypi":
		p.name = strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(p.name))
	case "deb", "apk", "rpm", "github", "bitbucket", "golang", "composer", "oci", "docker":
		p.namespace, p.name = strings.ToLower(p.namespace), strings.ToLower(p.name)
	}
}

func (p purl) isImage() bool { return p.kind == "oci" || p.kind == "docker" }

// names tells whether an image's URL means the image. A version is its digest;
// without one every image of that name is meant.
func (p purl) names(i delivery.Image) bool {
	repository := strings.ToLower(i.Repository)
	if p.name != path.Base(repository) {
		return false
	}
	if p.version != "" && p.version != string(i.Digest) {
		return false
	}
	if at := strings.ToLower(p.qualifiers.Get("repository_url")); at != "" && at != repository && at+"/"+p.name != repository {
		return false
	}
	full := p.name
	if p.namespace != "" {
		full = p.namespace + "/" + p.name
	}
	return p.namespace == "" || repository == full || strings.HasSuffix(repository, "/"+full)
}

// covers tells whether a package, by its URL, is meant: with the version if p has
// one, and of any otherwise. Qualifiers that p has, the package must have.
func (p purl) covers(of string) bool {
	o, err := parsePURL(of)
	if err != nil || p.kind != o.kind || p.namespace != o.namespace || p.name != o.name {
		return false
	}
	if p.version != "" && p.version != o.version {
		return false
	}
	for k := range p.qualifiers {
		if p.qualifiers.Get(k) != o.qualifiers.Get(k) {
			return false
		}
	}
	return true
}
