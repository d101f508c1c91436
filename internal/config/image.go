package config

import (
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func (d *decoder) validateImage(i Image) {
	d.matchPattern("image.repository", i.Repository, repositoryPattern, "a repository such as mlops/retail-api or registry.example.com/retail-api, without a tag")
	d.validateGlobs("image.build.inputs", i.Build.Inputs)
}

// What image.registry may be, besides a host.
const (
	ecrRegistry      = "ecr"
	embeddedRegistry = "embedded"
)

const registryPattern = `^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*(:[0-9]{1,5})?$`

// resolveRegistry makes image.repository the full name, so that a plan prints it and
// nothing depends on whose credentials are there.
func (d *decoder) resolveRegistry() {
	i := &d.project.Image
	if i.Registry == "" || i.Registry == embeddedRegistry && !hasHost(i.Repository) {
		return
	}
	if hasHost(i.Repository) {
		d.addError("image.registry", "remove it, or the host in image.repository", "image.registry: image.repository names a registry, too: %q", i.Repository)
		return
	}
	host := i.Registry
	if host == ecrRegistry {
		if host = d.ecrHost(); host == "" {
			return
		}
	} else if !matches(registryPattern, host) || !hasHost(host+"/") {
		d.addError("image.registry", "ecr, embedded, or the host of a registry such as registry.example.com", "image.registry: invalid value %q", i.Registry)
		return
	}
	i.Repository = host + "/" + i.Repository
}

// ecrHost returns the host of the account's images; empty: the file does not say where.
func (d *decoder) ecrHost() string {
	a := d.project.AWS
	if a.Account == "" || a.Region == "" {
		d.addError("image.registry", `add aws: {account: "111122223333", region: ap-southeast-1}`, "image.registry: ecr needs the account and the region of AWS")
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
