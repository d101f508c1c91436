package oci

import (
	"context"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/adapter/oci/repository"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Find returns the image that the tag names.
func (r *Registry) Find(ctx context.Context, repoName, tag string) (delivery.Image, bool, error) {
	at, err := r.tagRef(ctx, repoName, tag)
	if err != nil {
		return delivery.Image{}, false, err
	}
	d, err := remote.Head(at.repo.Tag(tag), at.options...)
	if isNotFound(err) {
		return delivery.Image{}, false, nil
	}
	if err != nil {
		return delivery.Image{}, false, at.toFault(ctx, "look for "+repoName+":"+tag, err)
	}
	img := delivery.Image{Repository: repoName, Digest: delivery.Digest(d.Digest.String())}
	return img, img.Digest.Valid() && (at.embedded == nil || at.embedded.IsComplete(img.Digest)), nil
}

// Tag gives the tag to an image of the registry.
func (r *Registry) Tag(ctx context.Context, img delivery.Image, tag string) error {
	if err := validateImage(img); err != nil {
		return err
	}
	at, err := r.tagRef(ctx, img.Repository, tag)
	if err != nil {
		return err
	}
	act := "tag " + img.String() + " as " + tag
	d, err := remote.Get(at.repo.Digest(string(img.Digest)), at.options...)
	if isNotFound(err) {
		return fault.New(fault.NotFound, "%s: not found in %s", act, at.displayName).Hint("run the delivery again to push it").Cause(err)
	}
	if err == nil {
		err = remote.Tag(at.repo.Tag(tag), d, at.options...)
	}
	return at.toFault(ctx, act, err)
}

func (r *Registry) tagRef(ctx context.Context, repoName, tag string) (repoRef, error) {
	if err := validateTag(tag); err != nil {
		return repoRef{}, err
	}
	return r.repoRef(ctx, repoName)
}

func validateTag(tag string) error {
	if !repository.ValidTag(tag) {
		return fault.New(fault.Invalid, "invalid tag %q", tag).Hint("use at most 128 letters, digits and . _ -")
	}
	return nil
}
