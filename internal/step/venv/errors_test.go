package venv

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	nothing = "ERROR: Could not find a version that satisfies the requirement shop==1 (from versions: none)\nERROR: No matching distribution found for shop==1\n"
	retried = "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError('<x>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/shop/\n"
)

// TestInstallError: the same last line of pip's can mean a wrong requirement, or an
// index that was never asked.
func TestInstallError(t *testing.T) {
	cases := []struct {
		name, said string
		kind       fault.Kind
		says       string
	}{
		{"no such version", "ERROR: Could not find a version that satisfies the requirement foo==9.9 (from versions: 1.0, 2.0)\nERROR: No matching distribution found for foo==9.9\n", fault.Failed, "install r.txt: no matching distribution for foo==9.9"},
		{"no such package", nothing + "Could not fetch URL https://i/simple/shop/: 404 Client Error: Not Found for url: https://i/simple/shop/ - skipping", fault.Failed, "no matching distribution for shop==1"},
		{"the index is away", retried + nothing, fault.Unavailable, "is unreachable"},
		{"the index was away for a moment", retried + "ERROR: Could not find a version that satisfies the requirement shop==1 (from versions: 0.9)\nERROR: No matching distribution found for shop==1\n", fault.Failed, "no matching distribution for shop==1"},
		{"the index is broken", nothing + "Could not fetch URL http://i/shop/: 503 Server Error: Service Unavailable for url: http://i/shop/ - skipping", fault.Unavailable, "is unreachable"},
		{"the index wants other credentials", nothing + "Could not fetch URL http://i/shop/: 401 Client Error: Unauthorized for url: http://i/shop/ - skipping", fault.Denied, "refused the credentials"},
		{"no certificate", "WARNING: Retrying after connection broken by 'SSLError(SSLCertVerificationError(1, 'certificate verify failed'))'\n" + nothing, fault.Unavailable, "is unreachable"},
		{"a wrong line", "ERROR: Invalid requirement: 'foo=>1' (from line 2 of ./r.txt)\n", fault.Failed, "server/r.txt:2: install r.txt: foo=>1 is not a valid requirement"},
		{"a wrong line, as newer ones say it", "ERROR: Invalid requirement: 'foo=>1': Expected end or semicolon\n    foo=>1\n       ^ (from line 7 of ./r.txt)\n", fault.Failed, "server/r.txt:7: "},
		{"contradiction", "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.\n", fault.Failed, "a==1 and b==2 conflict with each other"},
		{"other content", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have...\n    idna==3 from https://f/idna.whl (from -r ./r.txt (line 1)):\n        Expected sha256 00\n", fault.Failed, "server/r.txt:1: install r.txt: idna==3 does not match its hash"},
		{"a hash is missing", "ERROR: In --require-hashes mode, all requirements must have their versions pinned with ==. These do not:\n", fault.Failed, "has no hash"},
		{"another Python", "ERROR: Package 'foo' requires a different Python: 3.11.7 not in '>=3.12'\n", fault.Failed, "foo requires a different Python"},
		{"no wheel", "  error: command 'gcc' failed\n  ERROR: Failed building wheel for foo\nFailed to build foo\n", fault.Failed, "foo has no wheel"},
		{"disk", "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n", fault.Exhausted, "the disk is full"},
		{"half a Python", "The virtual environment was not created successfully because ensurepip is not\navailable.\nError: ensurepip is not available", fault.Unavailable, "has no venv or pip"},
		{"uv: no such version", "error: No solution found when resolving dependencies\n  cause: Because there is no version of foo==9.9 and you require foo==9.9, we can conclude that your requirements are unsatisfiable.\n", fault.Failed, "no matching distribution for foo==9.9"},
		{"uv: no such package", "  × No solution found when resolving dependencies:\n  ╰─▶ Because foo was not found in the package registry and you require foo, we can conclude that\n", fault.Failed, "no matching distribution for foo"},
		{"uv: contradiction", "  × No solution found when resolving dependencies:\n  ╰─▶ Because you require a==1 and a==2, we can conclude that your requirements are unsatisfiable.\n", fault.Failed, "Because you require a==1 and a==2"},
		{"uv: the index is away", "error: Failed to fetch: `http://i/simple/foo/`\n  Caused by: error sending request for url (http://i/simple/foo/)\n  Caused by: client error (Connect)\n", fault.Unavailable, "is unreachable"},
		{"uv: the index is broken", "error: Failed to fetch: http://i/foo/\n  cause: HTTP status server error (503 Service Unavailable) for url (http://i/foo/)\n", fault.Unavailable, "is unreachable"},
		{"uv: credentials", "error: No solution found when resolving dependencies\n  cause: Because foo was not found in the package registry and you require foo\n\nhint: An index URL (http://i/) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)\n", fault.Denied, "refused the credentials"},
		{"uv: a wrong line", "error: Couldn't parse requirement in `./r.txt` at position 5\n  cause: no such comparison operator \"=>\", must be one of ~=\n", fault.Failed, `no such comparison operator "=>"`},
		{"uv: other content", "error: Failed to download `foo==1`\n  Caused by: Hash mismatch for `foo==1`\n", fault.Failed, "foo==1 does not match its hash"},
		{"uv: old lock", "error: The lockfile at `uv.lock` needs to be updated, but `--locked` was provided.\n", fault.Failed, "does not match pyproject.toml"},
		{"unknown cause", "something else\nbroke\n", fault.Unavailable, "install r.txt: broke"},
		{"nothing said", "", fault.Unavailable, "without output"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := installError("install r.txt", c.said, "server")
			if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
				t.Errorf("%s: %v (%s)", fault.KindOf(err), err, fault.HintOf(err))
			}
			if failed := VerdictOf(err) == delivery.Failed; failed != (c.kind == fault.Failed) {
				t.Errorf("verdict %s for %s", VerdictOf(err), c.kind)
			}
		})
	}
}

func TestInstallerOutput_RedactsCredentials(t *testing.T) {
	var log strings.Builder
	out := newInstallerOutput(&log)
	text := "Looking in indexes: https://robot:hunter2@pypi.example.com/simple, https://glpat-1@b.example.com\nmail me@example.com\nno end https://u:p@h/x"
	for _, part := range strings.SplitAfter(text, "h") {
		if _, err := out.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	out.Close()
	want := "Looking in indexes: https://***@pypi.example.com/simple, https://***@b.example.com\nmail me@example.com\nno end https://***@h/x"
	if log.String() != want || out.text() != want {
		t.Errorf("log  %q\ntext %q", log.String(), out.text())
	}
	for range 100 {
		_, _ = out.Write([]byte(strings.Repeat("x", 4000) + "\n"))
	}
	if len(out.text()) > maxTailBytes {
		t.Errorf("%d bytes kept", len(out.text()))
	}
}
