package render

import (
	"strings"

	"github.com/distribution/reference"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// pinImage replaces every reference to the release's repository with the release's
// image.
func (r *renderer) pinImage() error {
	var others []string
	found := false
	for _, o := range r.objects {
		spec := podSpec(o.body)
		for _, c := range allContainers(spec) {
			image, _ := c["image"].(string)
			switch {
			case image == "":
			case sameRepository(image, r.m.Image):
				c["image"], found = r.m.Image.String(), true
			default:
				others = append(others, image)
				if !strings.Contains(image, "@") {
					r.addNote("image %s of %s is not pinned by digest", image, o.displayName())
				}
			}
		}
	}
	if found {
		return nil
	}
	f := fault.New(fault.Invalid, "no container of the manifests uses image %s", r.m.Image.Repository)
	if len(others) == 0 {
		return f.Hint("no container has an image: add a Deployment")
	}
	return f.Hint("use this repository as the image of the service's container, or change image.repository; images found: %s", fault.Enumerate(dedupe(others)))
}

func dedupe(values []string) []string {
	var out []string
	known := map[string]bool{}
	for _, w := range values {
		if !known[w] {
			known[w] = true
			out = append(out, w)
		}
	}
	return out
}

// sameRepository reports whether an image reference is of the image's repository.
func sameRepository(ref string, img delivery.Image) bool {
	got, ok := parseRepository(ref)
	want, valid := parseRepository(img.Repository)
	if !ok || !valid || got.path != want.path {
		return false
	}
	// Without a host, it is Docker Hub for other clients, and the embedded registry
	// for Slipway: the manifests may omit docker.io, but not imply it.
	return got.host == want.host || got.host == "" && want.host == dockerHub
}

const dockerHub = "docker.io"

// repository is a repository name in canonical form; host is empty if the name has
// none.
type repository struct{ host, path string }

// parseRepository parses the repository of an image reference, ignoring tag and
// digest: a malformed digest is replaced as well.
func parseRepository(ref string) (repository, bool) {
	name, _, _ := strings.Cut(ref, "@")
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return repository{}, false
	}
	r := repository{host: strings.ToLower(reference.Domain(named)), path: reference.Path(named)}
	first, _, _ := strings.Cut(name, "/")
	if r.host == dockerHub && first != dockerHub && first != "index."+dockerHub {
		r.host = ""
	}
	return r, true
}
