package config

import (
	"fmt"
	"path"
	"sort"
	"strings"
)

// The forms of what a Dockerfile build is given.
const (
	stagePattern    = `^[A-Za-z0-9][A-Za-z0-9_.-]*$`
	mountIDPattern  = `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`
	platformPattern = `^linux/[a-z0-9]+(/[a-z0-9]+)?$`
	cachePattern    = `^[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`
)

func (d *decoder) validateImage(i Image) {
	d.matchPattern("image.repository", i.Repository, repositoryPattern, "a repository such as mlops/retail-api or registry.example.com/retail-api, without a tag")
	_, byGo := d.positions["image.build.go"]
	_, byFile := d.positions["image.build.dockerfile"]
	switch {
	case byGo && byFile:
		d.addError("image.build.dockerfile", "remove one of them", "image.build: set exactly one of go or dockerfile")
	case byGo:
		d.validateGoBuild(i.Build)
	case byFile:
		d.validateDockerfileBuild(i.Build)
	default:
		d.addError("image.build", "such as go: ./cmd/api, or dockerfile: Dockerfile", "image.build: set exactly one of go or dockerfile")
	}
	d.validateGlobs("image.build.inputs", i.Build.Inputs)
}

func (d *decoder) validateGoBuild(b Build) {
	g := b.Go
	if strings.HasPrefix(g, "-") || path.IsAbs(g) || strings.ContainsAny(g, " \n\\") || g == "" || leavesRoot(g) {
		d.addError("image.build.go", "a folder of this repository such as ./cmd/api", "image.build.go: %q is not a main package of this repository", g)
	}
	d.validateVariables("image.build.env", b.Env, literalOnly)
	for _, key := range []string{"context", "target", "args", "secrets", "ssh", "platforms", "cache"} {
		d.rejectForeignKey(key, "dockerfile")
	}
}

func (d *decoder) validateDockerfileBuild(b Build) {
	if f := b.Dockerfile; f == "" || strings.HasSuffix(f, "/") || path.IsAbs(f) || strings.ContainsAny(f, "\n\\\x00") || leavesRoot(f) || path.Clean(f) == "." {
		d.addError("image.build.dockerfile", "a file of this repository such as server/Dockerfile", "image.build.dockerfile: %q is not a file of this repository", f)
	}
	d.rejectForeignKey("env", "go")
	d.validatePath("image.build.context", b.Context)
	if b.Target != "" {
		d.matchPattern("image.build.target", b.Target, stagePattern, "use the name of a stage: FROM ... AS name")
	}
	d.validateVariables("image.build.args", b.Args, literalOnly)
	d.validateBuildSecrets(b.Secrets)
	seen := map[string]bool{}
	for i, p := range b.Platforms {
		at := fmt.Sprintf("image.build.platforms[%d]", i)
		d.matchPattern(at, p, platformPattern, "such as linux/amd64 or linux/arm64")
		if seen[p] {
			d.addError(at, "remove one", "%s: duplicate value %q", at, p)
		}
		seen[p] = true
	}
	if b.Cache != "" {
		d.matchPattern("image.build.cache", b.Cache, cachePattern, "a repository with its registry's host, such as registry.example.com/retail-api-cache")
	}
}

// rejectForeignKey refuses a key that belongs to the other way of building.
func (d *decoder) rejectForeignKey(key, owner string) {
	at := "image.build." + key
	if _, there := d.positions[at]; there {
		d.addError(at, "remove it", "%s: only valid with %s", at, owner)
	}
}

func (d *decoder) validateBuildSecrets(secrets map[string]Secret) {
	var ids []string
	for id := range secrets {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		at := "image.build.secrets." + id
		if !matches(mountIDPattern, id) {
			d.addError(at, "letters, digits, dots, dashes and underscores", "image.build.secrets: invalid id %q", id)
		}
		d.validateSecret(at, secrets[id])
	}
}
