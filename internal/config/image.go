package config

import (
	"fmt"
	"path"
	"sort"
	"strings"
)

// The forms of what a Dockerfile build is given.
const (
	stageForm    = `^[A-Za-z0-9][A-Za-z0-9_.-]*$`
	secretID     = `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`
	platformForm = `^linux/[a-z0-9]+(/[a-z0-9]+)?$`
	cacheForm    = `^[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`
)

func (d *decoder) image(i Image) {
	d.form("image.repository", i.Repository, repositoryForm, "a repository such as mlops/retail-api or registry.example.com/retail-api, without a tag")
	_, byGo := d.places["image.build.go"]
	_, byFile := d.places["image.build.dockerfile"]
	switch {
	case byGo && byFile:
		d.fail("image.build.dockerfile", "keep the one that builds this image", "image.build: go and dockerfile exclude each other")
	case byGo:
		d.buildGo(i.Build)
	case byFile:
		d.buildDockerfile(i.Build)
	default:
		d.fail("image.build", "such as go: ./cmd/api, or dockerfile: Dockerfile", "image.build: it has to say what to build")
	}
	d.globs("image.build.inputs", i.Build.Inputs)
}

func (d *decoder) buildGo(b Build) {
	g := b.Go
	if strings.HasPrefix(g, "-") || path.IsAbs(g) || strings.ContainsAny(g, " \n\\") || g == "" || escapes(g) {
		d.fail("image.build.go", "a folder of this repository such as ./cmd/api", "image.build.go: %q is not a main package of this repository", g)
	}
	d.variables("image.build.env", b.Env, literal)
	for _, key := range []string{"context", "target", "args", "secrets", "ssh", "platforms", "cache"} {
		d.foreign(key, "dockerfile")
	}
}

func (d *decoder) buildDockerfile(b Build) {
	if f := b.Dockerfile; f == "" || strings.HasSuffix(f, "/") || path.IsAbs(f) || strings.ContainsAny(f, "\n\\\x00") || escapes(f) || path.Clean(f) == "." {
		d.fail("image.build.dockerfile", "a file of this repository such as server/Dockerfile", "image.build.dockerfile: %q is not a file of this repository", f)
	}
	d.foreign("env", "go")
	d.folder("image.build.context", b.Context)
	if b.Target != "" {
		d.form("image.build.target", b.Target, stageForm, "the name of a stage: FROM ... AS name")
	}
	d.variables("image.build.args", b.Args, literal)
	d.buildSecrets(b.Secrets)
	seen := map[string]bool{}
	for i, p := range b.Platforms {
		at := fmt.Sprintf("image.build.platforms[%d]", i)
		d.form(at, p, platformForm, "such as linux/amd64 or linux/arm64")
		if seen[p] {
			d.fail(at, "remove one", "%s: %q is there twice", at, p)
		}
		seen[p] = true
	}
	if b.Cache != "" {
		d.form("image.build.cache", b.Cache, cacheForm, "a repository with its registry's host, such as registry.example.com/retail-api-cache")
	}
}

// foreign refuses a key that belongs to the other way of building.
func (d *decoder) foreign(key, owner string) {
	at := "image.build." + key
	if _, there := d.places[at]; there {
		d.fail(at, "remove it", "%s: it is for %s only", at, owner)
	}
}

func (d *decoder) buildSecrets(secrets map[string]Secret) {
	var ids []string
	for id := range secrets {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		at := "image.build.secrets." + id
		if !matches(secretID, id) {
			d.fail(at, "letters, digits, dots, dashes and underscores", "image.build.secrets: %q is no id", id)
		}
		d.secret(at, secrets[id])
	}
}
