//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// awsKills is the minimum number of kills, unless SLIPWAY_E2E_AWS_KILLS is set (`make
// soak` uses 50).
const awsKills = 10

// Kills slipway while a model is trained, registered and approved on AWS: at requests that
// a seed chooses, before AWS did the work or after it and before the answer came, and at
// times. What resumes the run, on the same machine or on another one, finds the job and
// waits for it: there is one job, one version and one decision, and the model is that of a
// run that nobody killed.
func TestAWS_Kill(t *testing.T) {
	t.Parallel()
	seed := envNumber(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	kills := int(envNumber(t, "SLIPWAY_E2E_AWS_KILLS", awsKills))
	const projects = 4
	for i := range projects {
		where := []string{"same machine", "another machine"}[i%2]
		t.Run(fmt.Sprintf("%s, project %d", where, i), func(t *testing.T) {
			t.Parallel()
			t.Logf("SLIPWAY_E2E_SEED=%d repeats these choices", seed)
			p := newTrainingProject(t, rand.New(rand.NewPCG(seed, uint64(i))))
			if i%2 == 1 {
				p.shareFolder()
			}
			p.runKills((kills+projects-1-i)/projects, i/2)
		})
	}
}

// runKills kills that many runs; the first of them in that way, the next in the next.
func (p *trainingProject) runKills(want, first int) {
	ways := []killWay{beforeWork, atTime, afterWork, atTime}
	begun := time.Now()
	p.nextModel()
	p.requireOnce(p.run())
	took, killed, at := time.Since(begun), 0, []string{}
	for round := 0; killed < want; round++ {
		if round > 3*want {
			p.t.Fatalf("only %d kills in %d rounds: most of them came too late", killed, round)
		}
		where, ok := p.killOnce(ways[(first+killed)%len(ways)], took)
		if ok {
			killed++
			at = append(at, where)
		}
	}
	p.t.Attr("kills", strconv.Itoa(killed))
	p.t.Logf("%d kills, %.1f s each, %.1f s without: %s", killed, time.Since(begun.Add(took)).Seconds()/float64(max(killed, 1)), took.Seconds(), strings.Join(at, ", "))
}

// killWay is how a moment is chosen.
type killWay string

const (
	beforeWork killWay = "before AWS did the work of a request"
	afterWork  killWay = "after AWS did it, and before its answer"
	atTime     killWay = "at a time"
)

// killOnce trains the next model, kills that, resumes it, and checks what there is. It
// returns where it was killed; ok is false if the run had ended before.
func (p *trainingProject) killOnce(way killWay, took time.Duration) (where string, ok bool) {
	p.t.Helper()
	p.nextModel()
	longer := p.rng.IntN(2) * 3 // looks, for which the job runs on after the kill
	var r result
	if way == atTime {
		cmd := p.start("run", "--env", "prod", "--json")
		select {
		case <-cmd.done:
		case <-time.After(time.Duration(p.rng.Int64N(int64(took)))): // the random moment of the kill
		}
		r = cmd.kill()
	} else {
		fault := map[killWay]awstest.Fault{beforeWork: awstest.Unavailable, afterWork: awstest.ResponseLost}[way]
		p.script.aim(1+p.rng.IntN(p.script.requests()), fault)
		cmd := p.start("run", "--env", "prod", "--json")
		p.script.victim <- cmd
		r = cmd.wait()
	}
	where = p.script.killed(longer)
	ok = r.code == 128+int(syscall.SIGKILL)
	if ok {
		p.t.Logf("killed %s: %s, with %d looks to go: %s", way, where, longer, r)
		p.loseOwner()
		r = p.resumeTraining()
	}
	p.requireOnce(r)
	return where, ok
}

// resumeTraining finishes the run, or starts it where none was recorded yet, or it had
// ended.
func (p *trainingProject) resumeTraining() result {
	p.t.Helper()
	r := p.slipway("run", "--resume", "--json")
	if r.code == 2 && strings.Contains(r.stderr, "no unfinished run") {
		r = p.run()
	}
	return r
}
