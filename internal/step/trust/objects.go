package trust

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// VerifyObjects returns nil if every image that the rendered objects run may run under the
// policy: the release's own, which Verify has checked; one that Slipway has packed; one
// that the policy lists; or one that is named by digest and carries a trusted signature.
// What does not is fault.Denied; what could not be checked is fault.Unavailable.
func (j Verifier) VerifyObjects(ctx context.Context, rel delivery.Release, p step.TrustParams, packed ...delivery.Digest) error {
	if rel.Objects == "" {
		return nil
	}
	images, err := imagesOf(rel.Objects)
	if err != nil {
		return fault.New(fault.Corrupt, "read the objects of the release").Cause(err)
	}
	for _, found := range images {
		digest := digestIn(found.image)
		if digest != "" && (digest == rel.Image.Digest || slices.Contains(packed, digest)) || isListed(found.image, p.Images) {
			continue
		}
		if err := j.verifyImage(ctx, found, rel.Image.Repository, p); err != nil {
			return err
		}
	}
	return nil
}

// verifyImage wants a trusted signature of an image that is not the release's own.
func (j Verifier) verifyImage(ctx context.Context, found containerImage, own string, p step.TrustParams) error {
	digest := digestIn(found.image)
	if digest == "" {
		return fault.New(fault.Denied, "%s runs the image %s, which is named by a tag: a tag can be moved, and is not trusted", found.object, found.image).
			Hint("name it by digest and sign it, or list it in trust.images")
	}
	e := j.collect(ctx, port.Subject{Image: delivery.Image{Repository: repositoryOf(found.image, own), Digest: digest}}, p, false)
	check := e.checkSignature()
	if check.Verdict == delivery.Passed {
		return nil
	}
	return fault.New(fault.KindOf(check.err), "%s runs the image %s", found.object, found.image).Cause(check.err).
		Hint("sign it with a trusted key, or list it in trust.images")
}

// containerImage is an image, and the object that runs it.
type containerImage struct {
	object, image string
}

// imagesOf lists the images of all containers in rendered objects.
func imagesOf(objects string) ([]containerImage, error) {
	var list []map[string]any
	if err := json.Unmarshal([]byte(objects), &list); err != nil {
		return nil, err
	}
	var found []containerImage
	for _, o := range list {
		kind, _ := o["kind"].(string)
		meta, _ := o["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		for _, image := range containerImages(o, nil) {
			found = append(found, containerImage{kind + " " + name, image})
		}
	}
	return found, nil
}

// containerImages collects what the containers in an object run, wherever its pods are
// described: a list under a name that ends in "ontainers", or a volume's image.
func containerImages(v any, found []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if list, ok := inner.([]any); ok && (strings.HasSuffix(key, "ontainers") || key == "volumes") {
				for _, item := range list {
					found = append(found, imageIn(item)...)
				}
			}
			found = containerImages(inner, found)
		}
	case []any:
		for _, inner := range v {
			found = containerImages(inner, found)
		}
	}
	return found
}

// imageIn returns the image of a container, or of a volume that is one.
func imageIn(item any) []string {
	fields, _ := item.(map[string]any)
	switch image := fields["image"].(type) {
	case string:
		return []string{image}
	case map[string]any:
		if reference, ok := image["reference"].(string); ok {
			return []string{reference}
		}
	}
	return nil
}

// digestIn returns the digest that a reference names; "" if it names none.
func digestIn(reference string) delivery.Digest {
	_, digest, _ := strings.Cut(reference, "@")
	if d := delivery.Digest(digest); d.Valid() {
		return d
	}
	return ""
}

// repositoryOf returns the repository of a reference, without a tag. A short name is one
// of Docker Hub, as for the nodes that pull it, unless it is where the release's own image
// lies.
func repositoryOf(reference, own string) string {
	repository := delivery.RepositoryOf(reference)
	if repository == own {
		return own
	}
	return delivery.QualifyRepository(repository)
}

// isListed reports whether a reference is one of the list; * matches any characters.
func isListed(reference string, list []string) bool {
	return slices.ContainsFunc(list, func(pattern string) bool { return matches(pattern, reference) })
}

func matches(pattern, text string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	after, ok := strings.CutPrefix(text, head)
	if !ok {
		return false
	}
	for i := 0; i <= len(after); i++ {
		if matches(rest, after[i:]) {
			return true
		}
	}
	return false
}
