package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

func (d *decoder) validateImage(i Image) {
	d.matchPattern("image.repository", i.Repository, repositoryPattern, "a repository such as mlops/retail-api or registry.example.com/retail-api, without a tag")
	d.validateGlobs("image.build.inputs", i.Build.Inputs)
	for n, tag := range i.Tags {
		at := "image.tags"
		if _, list := d.positions[fmt.Sprintf("image.tags[%d]", n)]; list {
			at = fmt.Sprintf("image.tags[%d]", n)
		}
		d.matchPattern(at, tag, tagPattern, "a tag such as prod")
	}
}

const tagPattern = `^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`

// What image.registry may be, besides a host.
const (
	ecrRegistry      = "ecr"
	embeddedRegistry = "embedded"
)

const registryPattern = `^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*(:[0-9]{1,5})?$`

// resolveRegistries makes every repository of images its full name, so that a plan prints
// it and nothing depends on whose credentials are there.
func (d *decoder) resolveRegistries() {
	i, common := &d.project.Image, d.project.AWS
	name := i.Repository
	i.Repository = d.fullName("image.registry", i.Registry, name, extension.AWS{Account: common.Account, Region: common.Region})
	for _, env := range slices.Sorted(maps.Keys(d.project.Environments)) {
		e := d.project.Environments[env]
		if e.Image.Registry == "" {
			continue
		}
		e.repository = d.fullName("environments."+string(env)+".image.registry", e.Image.Registry, name, d.project.AWSOf(env))
		d.project.Environments[env] = e
	}
}

// RegistryRoles are the roles by which images are pushed to registries in AWS, by their
// hosts: where an environment names its own registry there, that of the environment. Where
// several environments with different roles share one, images are pushed with the
// credentials as they are.
func (p *Project) RegistryRoles() map[string]string {
	roles, several := map[string]string{}, map[string]bool{}
	for name, e := range p.Environments {
		host, _ := delivery.SplitRepository(p.In(name).Image.Repository)
		if e.Image.Registry != ecrRegistry || e.AWS.Role == "" || host == "" {
			continue
		}
		if known, ok := roles[host]; ok && known != e.AWS.Role {
			several[host] = true
		}
		roles[host] = e.AWS.Role
	}
	maps.DeleteFunc(roles, func(host, _ string) bool { return several[host] })
	return roles
}

// fullName returns the repository of that name in the registry that the key names.
func (d *decoder) fullName(key, registry, name string, at extension.AWS) string {
	if registry == "" || registry == embeddedRegistry && !hasHost(name) {
		return name
	}
	if hasHost(name) {
		d.addError(key, "remove it, or the host in image.repository", "%s: image.repository names a registry, too: %q", key, name)
		return name
	}
	if registry != ecrRegistry && (!matches(registryPattern, registry) || !hasHost(registry+"/")) {
		d.addError(key, "ecr, embedded, or the host of a registry such as registry.example.com", "%s: invalid value %q", key, registry)
		return name
	}
	host := registry
	if registry == ecrRegistry {
		host = d.ecrHost(key, at)
	}
	if host == "" {
		return name
	}
	return host + "/" + name
}

// ecrHost returns the host of the account's images; empty: the file does not say where.
func (d *decoder) ecrHost(key string, a extension.AWS) string {
	if a.Account == "" || a.Region == "" {
		d.addError(key, `add aws: {account: "111122223333", region: ap-southeast-1}`, "%s: ecr needs the account and the region of AWS", key)
		return ""
	}
	suffix := "amazonaws.com"
	if strings.HasPrefix(a.Region, "cn-") {
		suffix += ".cn"
	}
	return fmt.Sprintf("%s.dkr.ecr.%s.%s", a.Account, a.Region, suffix)
}

// hasHost reports whether a repository begins with a registry's host.
func hasHost(repository string) bool {
	host, _ := delivery.SplitRepository(repository)
	return host != ""
}

// requireDocker finds out whether something of the project reads its image in Docker's
// format only. It is so in all environments then: the digest of an image depends on its
// format, and a release has one.
func (d *decoder) requireDocker() {
	p := d.project
	reader := ""
	if m := p.Model; m != nil {
		if r, err := d.kinds.ModelRegistry(m.Registry.Kind); err == nil && r.ReadsDockerImages {
			reader = "model.registry: " + string(r.Kind)
		}
		if m.Train != nil && d.runsOwnImage(m.Train.On) {
			reader = "model.train.on: " + string(m.Train.On.Kind)
		}
		if m.Evaluate != nil && d.runsOwnImage(m.Evaluate.On) {
			reader = "model.evaluate.on: " + string(m.Evaluate.On.Kind)
		}
	}
	if reader == "" {
		return
	}
	p.Image.Docker = true
	platforms := p.Image.Build.Params.Platforms
	if len(platforms) > 0 && !slices.Contains(platforms, dockerPlatform) {
		d.addError("image.build.platforms", "add "+dockerPlatform, "image.build.platforms: %s runs images for %s only", reader, dockerPlatform)
	}
}

// runsOwnImage reports whether jobs there run in the project's own image, and take it in
// Docker's format only.
func (d *decoder) runsOwnImage(on *Runner) bool {
	if on == nil {
		return false
	}
	r, err := d.kinds.JobRunner(on.Kind)
	return err == nil && r.DockerImage != nil && d.isOwnImage(r.DockerImage(on.Section))
}

// isOwnImage reports whether the image is in a repository of the project's, by whatever
// tag or digest.
func (d *decoder) isOwnImage(image string) bool {
	repository := delivery.RepositoryOf(image)
	if repository == d.project.Image.Repository {
		return true
	}
	for _, e := range d.project.Environments {
		if e.repository != "" && repository == e.repository {
			return true
		}
	}
	return false
}

// dockerPlatform is what services that read Docker's format only run.
const dockerPlatform = "linux/amd64"
