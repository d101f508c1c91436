package storetest

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// InSubprocess tells whether the test is in a process of its own. If it is not, it is run
// there, and has passed or failed when this returns. A test that limits what its
// process may write needs that: the go command has the test's process write down
// which files it opens, and takes a cut log for a failure.
func InSubprocess(t *testing.T) bool {
	t.Helper()
	const variable = "SLIPWAY_TEST_ALONE"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name()+" ")) {
		t.Errorf("in a process of its own: %v\n%s", err, out)
	}
	return false
}
