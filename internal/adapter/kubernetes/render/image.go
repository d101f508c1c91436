package render

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// pin puts the release's image wherever its repository stands.
func (r *rendering) pin() error {
	var others []string
	found := false
	for _, o := range r.objects {
		spec := podSpec(o.body)
		for _, c := range everyContainer(spec) {
			image, _ := c["image"].(string)
			switch {
			case image == "":
			case runs(image, r.m.Image):
				c["image"], found = r.m.Image.String(), true
			default:
				others = append(others, image)
				if !strings.Contains(image, "@") {
					r.note("image %s of %s is not pinned by digest", image, o.title())
				}
			}
		}
	}
	if found {
		return nil
	}
	f := fault.New(fault.Invalid, "no container of the manifests uses image %s", r.m.Image.Repository)
	if len(others) == 0 {
		return f.Hint("there is no container with an image at all: add a Deployment")
	}
	return f.Hint("write this repository as the image of the service's container, or set image.repository to it; there is: %s", fault.Enumerate(unique(others)))
}

func unique(words []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range words {
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// runs tells whether an image reference is of the image's repository.
func runs(reference string, img delivery.Image) bool {
	host, path := split(repository(reference))
	ourHost, ourPath := split(img.Repository)
	if dockerHub(ourHost) {
		if host == "" {
			host = ourHost
		}
		path, ourPath = official(path), official(ourPath)
		return dockerHub(host) && path == ourPath
	}
	return host == ourHost && path == ourPath
}

// repository is a reference without its tag and digest.
func repository(reference string) string {
	name, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

// split cuts the registry's host off, in lower case, as clients tell it: the
// first part is a host when it has a dot or a port, or is localhost.
func split(repository string) (host, path string) {
	first, rest, ok := strings.Cut(repository, "/")
	if !ok || !strings.ContainsAny(first, ".:") && !strings.EqualFold(first, "localhost") {
		return "", repository
	}
	return strings.ToLower(first), rest
}

func dockerHub(host string) bool { return host == "docker.io" || host == "index.docker.io" }

// official names Docker's own images in full.
func official(path string) string {
	if strings.Contains(path, "/") {
		return path
	}
	return "library/" + path
}
