package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// image is the service's image, built once.
type image struct{ registry, sum string }

func (i image) digest() string         { return i.registry + "/tiny@" + i.sum }
func (i image) tag(name string) string { return i.registry + "/tiny:" + name }

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// name gives the image tags in the registry, which only the nodes can reach.
func (b *bench) name(ctx context.Context, i image, tags ...string) error {
	at, file := "http://"+i.registry+"/v2/tiny/manifests/", filepath.Join(b.work, "manifest.json")
	calls := [][]string{{"-H", "Accept: " + manifestType, "-o", file, at + i.sum}}
	for _, tag := range tags {
		calls = append(calls, []string{"-X", "PUT", "-H", "Content-Type: " + manifestType, "--data-binary", "@" + file, at + tag})
	}
	for _, args := range calls {
		cmd := b.cluster.Command("curl", append([]string{"-fsS", "-m", "10"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil || ctx.Err() != nil {
			return fmt.Errorf("give the image a tag: %w: %s", err, out)
		}
	}
	return nil
}
