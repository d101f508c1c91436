package delivery_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func TestDigestOf(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"empty", "", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := delivery.Digest(c.want)
			if got := delivery.DigestOf([]byte(c.content)); got != want || !got.Valid() {
				t.Errorf("DigestOf = %s, want %s", got, want)
			}
			got, n, err := delivery.DigestReader(iotest.OneByteReader(strings.NewReader(c.content)))
			if got != want || n != int64(len(c.content)) || err != nil {
				t.Errorf("DigestReader = %s, %d, %v, want %s, %d", got, n, err, want, len(c.content))
			}
			h := sha256.New()
			if _, err := io.WriteString(h, c.content); err != nil {
				t.Fatal(err)
			}
			if got := delivery.DigestFromHash(h); got != want {
				t.Errorf("DigestFromHash = %s, want %s", got, want)
			}
			if got := delivery.DigestFromHex(want.Hex()); got != want {
				t.Errorf("DigestFromHex(Hex) = %s, want %s", got, want)
			}
		})
	}
}

func TestDigestReader_Fails(t *testing.T) {
	broken := errors.New("broken")
	if d, _, err := delivery.DigestReader(iotest.ErrReader(broken)); d != "" || !errors.Is(err, broken) {
		t.Errorf("DigestReader = %q, %v, want %v", d, err, broken)
	}
}

func TestDigest_Form(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct {
		name       string
		digest     delivery.Digest
		valid      bool
		short, hex string
	}{
		{"valid", delivery.Digest("sha256:" + hex), true, "0123456789ab", hex},
		{"empty", "", false, "", ""},
		{"no algorithm", delivery.Digest(hex), false, hex, hex},
		{"upper case", delivery.Digest("sha256:" + strings.ToUpper(hex)), false, "sha256:" + strings.ToUpper(hex), "sha256:" + strings.ToUpper(hex)},
		{"too short", "sha256:0123", false, "sha256:0123", "sha256:0123"},
		{"from hex that is none", delivery.DigestFromHex("../etc"), false, "sha256:../etc", "sha256:../etc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.digest.Valid(); got != c.valid {
				t.Errorf("Valid = %v, want %v", got, c.valid)
			}
			if got := c.digest.Short(); got != c.short {
				t.Errorf("Short = %q, want %q", got, c.short)
			}
			if got := c.digest.Hex(); got != c.hex {
				t.Errorf("Hex = %q, want %q", got, c.hex)
			}
		})
	}
}

func TestDigestsIn(t *testing.T) {
	a, b := delivery.DigestOf([]byte("a")), delivery.DigestOf([]byte("b"))
	text := "x" + string(a) + string(b) + `","sha256:","sha256:12` + string(a)[7:60] + " sha256:" + string(a)
	if diff := cmp.Diff([]delivery.Digest{a, b, a}, slices.Collect(delivery.DigestsIn(text))); diff != "" {
		t.Errorf("digests (-want +got):\n%s", diff)
	}
	for range delivery.DigestsIn(text) {
		break
	}
}

// The digest of a folder is that of its listing, in the order of the names. It names
// models that were registered long ago: it never changes.
func TestFolderDigest(t *testing.T) {
	a, b := delivery.DigestOf([]byte("a")), delivery.DigestOf([]byte("b"))
	listing := "folder 2\nfile \"a/x\" " + string(a) + "\nfile \"b\\n\" " + string(b) + "\n"
	if got := delivery.FolderDigest(map[string]delivery.Digest{"b\n": b, "a/x": a}); got != delivery.DigestOf([]byte(listing)) {
		t.Errorf("FolderDigest = %s, want that of %q", got, listing)
	}
}
