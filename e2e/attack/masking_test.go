//go:build linux

package attack

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Test11: logs show what the file promises to mask. On old code a value is in clear unless
// the variable's name says that it is secret, and in base64 always.
func Test11(t *testing.T) {
	const password, key = "correct-horse/battery", "0f1e2d3c4b5a69788796"
	basic := base64.StdEncoding.EncodeToString([]byte("app:" + password))
	l := newLab(t)
	l.write("slipway.yaml", fmt.Sprintf(`version: 1
service: tiny
test:
  - name: unit
    run: |
      echo "password $MYDB, key $KEY, alone $(printf %%s "$KEY" | base64), header $(printf app:%%s "$MYDB" | base64)"
      printf '{"dsn": "postgres://app:%%s@db"}\n' "$(printf %%s "$MYDB" | sed 's,/,%%2F,')" | tee report.json
      echo "the last line has $MYDB" && exit 1
    env: {MYDB: "${DB_PASS}", KEY: "${ENCRYPTION_KEY}"}
image: {build: {go: .}, repository: tiny}
deploy: {env: {E2E_BASE: %s}}
environments: {prod: {on: {push: main}, target: {local: {}}}}
`, l.base))
	l.commit("a test that shows what it was given")
	secrets := []string{password, key, basic, base64.StdEncoding.EncodeToString([]byte(key)), "battery", basic[8:24]}
	given := l.with("DB_PASS="+password, "ENCRYPTION_KEY="+key)
	given.slipway("run", "--env", "prod", "--until", "test").wantExit(1).wantText("***").wantNoText(secrets...)
	given.slipway("logs", "latest").wantExit(0).wantText("password ***, key ***, alone ***, header ").wantNoText(secrets...)
	l.slipway("runs", "show", "latest", "--json").wantExit(0).wantText("***").wantNoText(secrets...)
	logs, err := filepath.Glob(filepath.Join(l.state, "runs", "*", "logs", "*"))
	l.must(err)
	for _, log := range logs {
		raw, err := os.ReadFile(log)
		l.must(err)
		result{t: t, stdout: string(raw)}.wantNoText(secrets...)
	}
	if len(logs) == 0 {
		t.Error("no log found")
	}
}
