//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/slipway-cd/slipway/internal/adapter/anchore/testdb"
)

// TestScripts runs the scripts of testdata/script: invalid input of every kind, and the
// messages about it. Additional commands:
//
//	exits CODES PROGRAM ARGS   runs it; CODES are the wanted exit codes, "1,3"
//	tiny                       creates the tiny service in $WORK/repo, and changes to it
//	commit MESSAGE             commits everything
//	sub FILE OLD NEW           replaces the only occurrence of OLD in FILE
//	garbage FILE...            overwrites files with bytes that are not a database
//	truncate TEXT DIR          halves every regular file below DIR that contains TEXT
//	sql FILE STATEMENT         changes a database without Slipway
//	occupy VAR                 takes a port for the length of the script: $VAR
//	mount DIR OPTIONS          a tmpfs (root only)
//	nowhere TEXT DIR           no file below DIR contains TEXT, and no name does
//	silent TEXT                no command so far printed TEXT
//	plant DIR ID MODULE        a database of vulnerabilities in DIR: ID is in every version of the Go module
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: prepareScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits, "tiny": scriptTiny, "commit": scriptCommit, "sub": scriptSub, "garbage": scriptGarbage,
			"truncate": scriptTruncate, "sql": scriptSQL, "occupy": scriptOccupy, "mount": scriptMount,
			"nowhere": scriptNowhere, "silent": scriptSilent, "plant": scriptPlant,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		RequireUniqueNames: true,
	})
}

type printedKey struct{}

func prepareScript(env *testscript.Env) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	vars := append(environ(), env.Vars...)
	env.Vars = append(vars,
		"PATH="+filepath.Dir(slipwayBinary())+string(os.PathListSeparator)+os.Getenv("PATH"),
		"HOME="+os.Getenv("HOME"), "GIT_CEILING_DIRECTORIES="+env.WorkDir,
		"E2E_ROOT="+here, "E2E_SIDE="+filepath.Join(env.WorkDir, "trainings"), "E2E_TOKEN="+envSecret, "TOKEN="+envSecret,
		"SLIPWAY_CACHE_DIR="+filepath.Join(env.WorkDir, "cache"))
	printed := &bytes.Buffer{}
	env.Values[printedKey{}] = printed
	env.Defer(func() { stopScript(env) })
	return nil
}

// stopScript stops what the script left running.
func stopScript(env *testscript.Env) {
	p := &project{base: env.WorkDir}
	repo := filepath.Join(env.WorkDir, "repo")
	if len(p.processes("SLIPWAY_RELEASE=")) > 0 {
		down := exec.Command(slipwayBinary(), "down", "--all")
		down.Dir, down.Env = repo, env.Vars
		if out, err := down.CombinedOutput(); err != nil {
			env.T().Log(fmt.Sprintf("slipway down --all: %v\n%s", err, out))
		}
	}
	p.killAll()
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODES PROGRAM ARGS")
	}
	err := ts.Exec(args[1], args[2:]...)
	printed, _ := ts.Value(printedKey{}).(*bytes.Buffer)
	printed.WriteString(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	code := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	for _, want := range strings.Split(args[0], ",") {
		if want == strconv.Itoa(code) {
			return
		}
	}
	ts.Fatalf("exit %d, want %s", code, args[0])
}

func scriptTiny(ts *testscript.TestScript, _ bool, _ []string) {
	repo := ts.MkAbs("repo")
	ts.Check(os.CopyFS(repo, os.DirFS(filepath.Join(ts.Getenv("E2E_ROOT"), "testdata", "tiny"))))
	ts.Check(ts.Chdir("repo"))
	scriptSub(ts, false, []string{"slipway.yaml", `env: {ROUND: "0"}`, fmt.Sprintf(`env: {ROUND: "0", E2E_BASE: %s}`, filepath.Dir(repo))})
	ts.Check(ts.Exec("git", "init", "-q", "-b", "main"))
	scriptCommit(ts, false, []string{"the tiny service"})
}

func scriptCommit(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("git", "add", "-A"))
	ts.Check(ts.Exec("git", "commit", "-q", "-m", args[0]))
}

func scriptSub(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: sub FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		ts.Fatalf("%s holds %q %d times, not once", args[0], args[1], n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}

func scriptGarbage(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), bytes.Repeat([]byte("this is no database. "), 500), 0o644))
	}
}

func scriptTruncate(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	eachFile(ts, args[1], func(path string, content []byte) {
		if bytes.Contains(content, []byte(args[0])) {
			ts.Check(os.Chmod(path, 0o644))
			ts.Check(os.Truncate(path, int64(len(content)/2)))
			n++
		}
	})
	if n == 0 {
		ts.Fatalf("no file below %s holds %q", args[1], args[0])
	}
	ts.Logf("%d files truncated", n)
}

func eachFile(ts *testscript.TestScript, dir string, do func(path string, content []byte)) {
	ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil {
			do(path, content)
		}
		return err
	}))
}

func scriptOccupy(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	ts.Setenv(args[0], strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
}

func scriptMount(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	flags := uintptr(0)
	options := args[1]
	if options == "ro" {
		flags, options = syscall.MS_RDONLY, ""
	}
	ts.Check(syscall.Mount("tmpfs", dir, "tmpfs", flags, options))
	ts.Defer(func() {
		(&project{base: ts.Getenv("WORK")}).killAll()
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			ts.Logf("unmount %s: %v", dir, err)
		}
	})
}

func scriptNowhere(ts *testscript.TestScript, _ bool, args []string) {
	files, found := 0, []string{}
	eachFile(ts, args[1], func(path string, content []byte) {
		files++
		if i := bytes.Index(content, []byte(args[0])); i >= 0 {
			found = append(found, fmt.Sprintf("%s holds %q", path, content[max(0, i-60):min(len(content), i+60)]))
		}
		if strings.Contains(path, args[0]) {
			found = append(found, path)
		}
	})
	if len(found) > 0 {
		ts.Fatalf("%q is there:\n%s", args[0], strings.Join(found, "\n"))
	}
	if files == 0 {
		ts.Fatalf("there is no file below %s", args[1])
	}
}

func scriptPlant(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: plant DIR ID MODULE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	_, err := testdb.Write(dir, []testdb.Vulnerability{{ID: args[1], Severity: "critical", Ecosystem: "go-module", Package: args[2], Below: "99.0.0"}})
	ts.Check(err)
}

func scriptSilent(ts *testscript.TestScript, _ bool, args []string) {
	printed, _ := ts.Value(printedKey{}).(*bytes.Buffer)
	if printed.Len() == 0 || strings.Contains(printed.String(), args[0]) {
		ts.Fatalf("nothing was printed, or %q was", args[0])
	}
}
