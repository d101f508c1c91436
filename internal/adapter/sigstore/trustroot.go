package sigstore

import (
	"context"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"

	"github.com/slipway-cd/slipway/internal/fault"
)

// rootTTL is how long the public trust root is cached.
const rootTTL = time.Hour

// publicRoot is the trust root of the public Sigstore. It is downloaded on first
// use.
type publicRoot struct {
	clock func() time.Time
	fetch func() (root.TrustedMaterial, error)

	mu        sync.Mutex
	root      root.TrustedMaterial
	fetchedAt time.Time
}

func (p *publicRoot) get(ctx context.Context) (root.TrustedMaterial, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.root != nil && p.clock().Sub(p.fetchedAt) < rootTTL {
		return p.root, nil
	}
	type answer struct {
		root root.TrustedMaterial
		err  error
	}
	done := make(chan answer, 1) // the library cannot be interrupted
	go func() {
		r, err := p.fetch()
		done <- answer{r, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case a := <-done:
		if a.err != nil {
			return nil, fault.New(fault.Unavailable, "download the Sigstore trust root").Cause(a.err).
				Hint("check that this machine can reach tuf-repo-cdn.sigstore.dev; or commit a trusted_root.json and set trust.root to it")
		}
		p.root, p.fetchedAt = a.root, p.clock()
		return p.root, nil
	}
}

// fetchPublic downloads the trust root and caches it in the folder.
func fetchPublic(cache string) (root.TrustedMaterial, error) {
	options := tuf.DefaultOptions()
	options.CachePath, options.DisableLocalCache = cache, cache == ""
	return root.FetchTrustedRootWithOptions(options)
}
