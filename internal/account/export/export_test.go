package export_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/export"
)

// TestRefer: only what is made before is referred to, by its whole ARN.
func TestRefer(t *testing.T) {
	s := account.Set{Resources: []account.Resource{{ARN: "arn:a"}, {}, {ARN: "arn:a/b"}, {ARN: "arn:c"}}}
	for _, c := range []struct {
		text string
		n    int
		want export.Reference
		ok   bool
	}{
		{"arn:a", 1, export.Reference{Index: 0}, true},
		{"arn:a", 0, export.Reference{}, false},
		{"arn:a/x/*", 4, export.Reference{Index: 0, Rest: "/x/*"}, true},
		{"arn:a/b/*", 4, export.Reference{Index: 2, Rest: "/*"}, true},
		{"arn:a/b", 2, export.Reference{Index: 0, Rest: "/b"}, true},
		{"arn:c:*", 4, export.Reference{Index: 3, Rest: ":*"}, true},
		{"arn:ab", 4, export.Reference{}, false},
		{"arn:a*", 4, export.Reference{}, false},
		{"*", 4, export.Reference{}, false},
	} {
		got, ok := export.Refer(s, c.n, c.text)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%s before %d: %v, want %v:\n%s", c.text, c.n, ok, c.ok, diff)
		}
	}
}

func TestPath(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::111122223333:role/n": "/", "arn:aws:iam::111122223333:role/a/b/n": "/a/b/", "arn:aws:iam::111122223333:policy/a/n": "/a/", "": "/",
	} {
		if got := export.Path(account.Resource{Name: "n", ARN: arn}); got != want {
			t.Errorf("path of %q: %q, want %q", arn, got, want)
		}
	}
}
