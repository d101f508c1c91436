package render

import (
	"strings"

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

// sameRepository tells whether an image reference is of the image's repository.
func sameRepository(reference string, img delivery.Image) bool {
	host, path := splitHost(withoutTag(reference))
	ourHost, ourPath := splitHost(img.Repository)
	if isDockerHub(ourHost) {
		if host == "" {
			host = ourHost
		}
		path, ourPath = withLibrary(path), withLibrary(ourPath)
		return isDockerHub(host) && path == ourPath
	}
	return host == ourHost && path == ourPath
}

// withoutTag is a reference without its tag and digest.
func withoutTag(reference string) string {
	name, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

// splitHost cuts the registry's host off, in lower case, as clients tell it: the
// first part is a host when it has a dot or a port, or is localhost.
func splitHost(repository string) (host, path string) {
	first, rest, ok := strings.Cut(repository, "/")
	if !ok || !strings.ContainsAny(first, ".:") && !strings.EqualFold(first, "localhost") {
		return "", repository
	}
	return strings.ToLower(first), rest
}

func isDockerHub(host string) bool { return host == "docker.io" || host == "index.docker.io" }

// withLibrary names Docker's own images in full.
func withLibrary(path string) string {
	if strings.Contains(path, "/") {
		return path
	}
	return "library/" + path
}
