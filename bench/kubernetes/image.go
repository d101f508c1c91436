package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// serviceImage is the service's image, built once.
type serviceImage struct{ registry, imageDigest string }

func (i serviceImage) digest() string         { return i.registry + "/tiny@" + i.imageDigest }
func (i serviceImage) tag(name string) string { return i.registry + "/tiny:" + name }

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// tagImage tags the image in the registry, which is only reachable from the nodes.
func (b *bench) tagImage(ctx context.Context, i serviceImage, tags ...string) error {
	at, file := "http://"+i.registry+"/v2/tiny/manifests/", filepath.Join(b.work, "manifest.json")
	calls := [][]string{{"-H", "Accept: " + manifestType, "-o", file, at + i.imageDigest}}
	for _, tag := range tags {
		calls = append(calls, []string{"-u", "bench:" + registryToken, "-X", "PUT", "-H", "Content-Type: " + manifestType, "--data-binary", "@" + file, at + tag})
	}
	for _, args := range calls {
		cmd := b.cluster.Command("curl", append([]string{"-fsS", "-m", "10"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil || ctx.Err() != nil {
			return fmt.Errorf("give the image a tag: %w: %s", err, out)
		}
	}
	return nil
}
