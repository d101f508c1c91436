package sigstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"golang.org/x/sync/singleflight"

	"github.com/slipway-cd/slipway/internal/fault"
)

// rootTTL is how long the public trust root is cached.
const rootTTL = time.Hour

// publicRoot is the trust root of the public Sigstore. It is downloaded on first
// use.
type publicRoot struct {
	clock func() time.Time
	fetch func() (root.TrustedMaterial, error)

	group singleflight.Group // concurrent callers share one download

	mu        sync.Mutex // never held during a download
	root      root.TrustedMaterial
	fetchedAt time.Time
}

func (p *publicRoot) get(ctx context.Context) (root.TrustedMaterial, error) {
	if r := p.cached(); r != nil {
		return r, nil
	}
	const act = "download the Sigstore trust root"
	done := p.group.DoChan("", func() (any, error) { // the library cannot be interrupted
		r, err := p.fetch()
		if err != nil {
			return nil, fault.New(fault.Unavailable, act).Cause(err).
				Hint("check that this machine can reach tuf-repo-cdn.sigstore.dev; or commit a trusted_root.json and set trust.root to it")
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.root, p.fetchedAt = r, p.clock()
		return r, nil
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf(act+": %w", context.Cause(ctx))
	case got := <-done:
		r, _ := got.Val.(root.TrustedMaterial)
		return r, got.Err
	}
}

// cached returns what was downloaded less than rootTTL ago, or nil.
func (p *publicRoot) cached() root.TrustedMaterial {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.root != nil && p.clock().Sub(p.fetchedAt) < rootTTL {
		return p.root
	}
	return nil
}

// fetchPublic downloads the trust root and caches it in the folder.
func fetchPublic(cache string) (root.TrustedMaterial, error) {
	options := tuf.DefaultOptions()
	options.CachePath, options.DisableLocalCache = cache, cache == ""
	return root.FetchTrustedRootWithOptions(options)
}
