package statelog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

const digestsPrefix = "digests/"

// digestsKey names the last entry: whoever looks for an entry finds the first of them
// that is not before it.
func digestsKey(last int64) string { return fmt.Sprintf(digestsPrefix+"%012d.json", last) }

// digestsDocument is what is left of entries that were removed.
type digestsDocument struct {
	First   int64             `json:"first"`
	Digests []delivery.Digest `json:"digests"` // of the first entry, and of those that follow it
}

// SaveDigests keeps the digests of the first entry and of those that follow it, before
// they are removed: others may have kept the position of one of them, see DigestAt.
func (l *Log) SaveDigests(ctx context.Context, first int64, digests []delivery.Digest) error {
	if len(digests) == 0 {
		return nil
	}
	last := first + int64(len(digests)) - 1
	raw, err := json.Marshal(digestsDocument{first, digests})
	if err == nil { // if it exists, an earlier attempt was interrupted
		err = insist(ctx, func() error { return ignoreExists(l.Store.Create(ctx, digestsKey(last), raw)) })
	}
	if err != nil {
		return fmt.Errorf("keep the digests of entries %d to %d of the shared state: %w", first, last, err)
	}
	return nil
}

// keepDigests keeps the digests of the entries after the position, up to the last one.
func (l *Log) keepDigests(ctx context.Context, after Position, last int64) error {
	var digests []delivery.Digest
	_, err := l.Read(ctx, after, func(_ Entry, p Position) error {
		if p.N > last {
			return errEnough
		}
		digests = append(digests, p.Digest)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return l.SaveDigests(ctx, after.N+1, digests)
}

var errEnough = errors.New("enough was read")

// DigestAt returns the digest of an entry, also of one that was removed and whose digest
// was kept. fault.NotFound means that the log never had it, or lost it.
func (l *Log) DigestAt(ctx context.Context, n int64) (delivery.Digest, error) {
	raw, err := l.get(ctx, entryKey(n))
	if err == nil {
		return delivery.DigestOf(raw), nil
	}
	if !fault.Is(err, fault.NotFound) {
		return "", fmt.Errorf("read entry %d of the shared state: %w", n, err)
	}
	found, err := l.Store.List(ctx, digestsPrefix, digestsKey(n-1), 1)
	if err != nil {
		return "", fmt.Errorf("look for the digest of entry %d of the shared state: %w", n, err)
	}
	if len(found) == 0 {
		return "", missingDigest(n)
	}
	if raw, err = l.get(ctx, found[0].Key); err != nil {
		return "", fmt.Errorf("look for the digest of entry %d of the shared state: %w", n, err)
	}
	var doc digestsDocument
	if err := json.Unmarshal(raw, &doc); err != nil {
		return "", fault.New(fault.Corrupt, "the object %s of the shared state is damaged", found[0].Key).Cause(err).
			Hint("restore it from a backup or an older version")
	}
	if i := n - doc.First; i >= 0 && i < int64(len(doc.Digests)) {
		return doc.Digests[i], nil
	}
	return "", missingDigest(n)
}

func missingDigest(n int64) error {
	return fault.New(fault.NotFound, "entry %d of the shared state not found", n)
}
