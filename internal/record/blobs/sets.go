package blobs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// SetPrefix begins the keys of members of sets: each is an object with the set's name.
const SetPrefix = "set/"

var _ port.SharedBlobs = (*Store)(nil)

func setPrefix(set string) string { return SetPrefix + delivery.DigestOf([]byte(set)).Hex() + "/" }

// MemberOf returns the digest that a key of a set's member names.
func MemberOf(key string) (d delivery.Digest, ok bool) {
	_, hex, _ := strings.Cut(strings.TrimPrefix(key, SetPrefix), "/")
	d = delivery.DigestFromHex(hex)
	return d, strings.HasPrefix(key, SetPrefix) && d.Valid()
}

// AddTo implements port.SharedBlobs.
func (s *Store) AddTo(ctx context.Context, set string, d delivery.Digest) error {
	if !d.Valid() {
		return fault.New(fault.Invalid, "invalid digest %q of a blob", d)
	}
	err := retry(ctx, func() error { return s.Objects.Create(ctx, setPrefix(set)+d.Hex(), []byte(set)) })
	if err != nil && !errors.Is(err, port.ErrExists) {
		return fmt.Errorf("add %s to %s: %w", d.Short(), set, err)
	}
	return nil
}

// Members implements port.SharedBlobs.
func (s *Store) Members(ctx context.Context, set string) (members []delivery.Digest, err error) {
	err = retry(ctx, func() error {
		members = nil
		for o, err := range port.AllObjects(ctx, s.Objects, setPrefix(set)) {
			if err != nil {
				return err
			}
			if d, ok := MemberOf(o.Key); ok {
				members = append(members, d)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", set, err)
	}
	return members, nil
}
