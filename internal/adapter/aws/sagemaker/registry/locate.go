package registry

import (
	"context"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var _ port.ModelLocator = (*Registry)(nil)

// Locate returns the version's ARN, and the object with its files as it is pinned: by its
// version, or by its ETag in a bucket that keeps none.
func (r *Registry) Locate(ctx context.Context, ref delivery.ModelRef) (port.ModelLocation, error) {
	c, err := r.connect(ctx)
	if err != nil {
		return port.ModelLocation{}, err
	}
	e, err := r.load(ctx, c, ref.Group, ref.Version)
	switch {
	case err != nil:
		return port.ModelLocation{}, err
	case ref.Digest != "" && ref.Digest != e.Digest:
		return port.ModelLocation{}, fault.New(fault.Conflict, "model %s has digest %s, not %s", ref, e.Digest.Short(), ref.Digest.Short())
	case e.archive == "":
		return port.ModelLocation{}, fault.New(fault.NotFound, "model %s names no model.tar.gz in SageMaker", ref).
			Hint("let Slipway deliver its files: model.deliver: init")
	}
	info, err := c.statPinned(ctx, e)
	if err != nil {
		return port.ModelLocation{}, err
	}
	l := port.ModelLocation{Name: e.arn, URL: e.archive}
	if info.HasVersion() {
		l.Version = info.Version
	} else {
		l.ETag = strings.Trim(info.ETag, `"`)
	}
	return l, nil
}

// statPinned looks the version's archive up, which has to be the one that was registered.
func (c *client) statPinned(ctx context.Context, e entry) (s3.Info, error) {
	at, err := s3.Parse(e.archive)
	if err != nil {
		return s3.Info{}, fault.New(fault.Corrupt, "model %s names another archive in SageMaker than it was registered with", e.ModelRef)
	}
	info, err := c.objects.client.Stat(ctx, at)
	switch {
	case fault.Is(err, fault.NotFound):
		return info, fault.New(fault.Corrupt, "the archive %s of model %s was removed", at, e.ModelRef).Cause(err).Hint("restore it, or reject the version")
	case err != nil:
		return info, err
	case e.metadata[keyObject] != "" && pinOf(info) != e.metadata[keyObject]: // older programs did not write it down for what they registered
		return info, fault.New(fault.Corrupt, "the archive %s of model %s was overwritten: it was %s, and is %s", at, e.ModelRef, e.metadata[keyObject], pinOf(info)).
			Hint("register the new archive as another version, and reject this one, or restore the object's version")
	}
	return info, nil
}
