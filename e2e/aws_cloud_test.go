//go:build e2e

package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// What examples/retail-aws names.
const (
	awsTopic    = "retail-forecast-releases"
	awsGroup    = "retail-price-sensitivity-models"
	awsBucket   = "retail-forecast-" + awstest.Account
	awsTraining = "mlops/retail-train" // repository of the image that trains
)

// awsLab is an AWS of the test's own. The program reaches it by AWS's real host names,
// through a proxy and a CA of the test.
type awsLab struct {
	p      *project
	cloud  *awstest.Cloud
	server *awstest.Server
	topic  string // ARN
}

// startAWS makes an AWS the project's, and no other network.
func (p *project) startAWS(c awstest.Config) *awsLab {
	p.t.Helper()
	cloud, err := awstest.New(c)
	p.must(err)
	server, err := cloud.Serve()
	p.must(err)
	p.t.Cleanup(func() { _ = server.Close() })
	ca := filepath.Join(p.base, "aws-ca.pem")
	p.must(os.WriteFile(ca, server.CA, 0o644))
	p.env = append(p.env, server.Env(ca)...)
	return &awsLab{p, cloud, server, cloud.AddTopic(awsTopic)}
}

// become gives the project's commands the credentials of the principal.
func (l *awsLab) become(who awstest.Principal) {
	l.p.env = append(l.p.env, "AWS_ACCESS_KEY_ID="+who.AccessKey, "AWS_SECRET_ACCESS_KEY="+who.SecretKey, "AWS_SESSION_TOKEN="+who.SessionToken,
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_CONFIG_FILE=/dev/null")
}

// serveSageMaker makes training jobs run the scripts that Slipway writes, with this
// machine's Go in place of the image's, and keeps what they read and write in a bucket.
func (l *awsLab) serveSageMaker() {
	env := slices.DeleteFunc(slices.Clone(l.p.env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name != "PATH" && name != "HOME" && !strings.HasPrefix(name, "GO")
	})
	l.cloud.SetContainer(awstest.Shell("/tmp/slipway", env))
	l.cloud.AddBucket(awstest.Bucket{Name: awsBucket})
	l.cloud.AddRepository(awstest.Repository{Name: awsTraining})
	l.cloud.PutImage(awsTraining, awstest.Image{Digest: "sha256:" + strings.Repeat("a", 64), MediaType: "application/vnd.docker.distribution.manifest.v2+json", Tags: []string{"go1.26"}})
	l.cloud.AddModelPackageGroup(awsGroup)
}

// console returns AWS as a person sees it who is not Slipway.
func (l *awsLab) console(user string) *awstest.Console {
	l.p.t.Helper()
	c, err := l.server.Console(l.cloud, "people/"+user)
	l.p.must(err)
	return c
}

// disturb throttles or fails a fifth of the calls, and loses one response in fifty, but
// not those of people in the console. The same seed disturbs the same numbers of calls.
func (l *awsLab) disturb(seed uint64) (faults func() map[awstest.Fault]int) {
	var mu sync.Mutex
	random, counts := rand.New(rand.NewPCG(seed, seed)), map[awstest.Fault]int{}
	l.cloud.Inject(func(call *awstest.Call) awstest.Fault {
		if strings.Contains(call.Principal.ARN, ":user/people/") {
			return awstest.NoFault
		}
		mu.Lock()
		defer mu.Unlock()
		fault := awstest.NoFault
		switch n := random.IntN(100); {
		case n < 10:
			fault = awstest.Throttled
		case n < 20:
			fault = awstest.Unavailable
		case n < 22:
			fault = awstest.ResponseLost
		}
		counts[fault]++
		return fault
	})
	return func() map[awstest.Fault]int {
		mu.Lock()
		defer mu.Unlock()
		return counts
	}
}

// requireValid requires that AWS's models and the policies allowed every request, and
// returns which operations were called.
func (l *awsLab) requireValid() []string {
	l.p.t.Helper()
	l.p.must(l.cloud.Invalid())
	for _, j := range l.cloud.Judgements() {
		if j.Decision != awstest.Allowed {
			l.p.t.Errorf("%s was refused %s on %s", j.Principal, j.Access.Action, j.Access.Resource)
		}
	}
	var used []string
	for _, call := range l.cloud.Calls() {
		used = append(used, call.Service+"."+call.Operation)
	}
	slices.Sort(used)
	return slices.Compact(used)
}

// told requires that the topic was told an outcome.
func (l *awsLab) told(text string) {
	l.p.t.Helper()
	var all []string
	for _, m := range l.cloud.Messages(l.topic) {
		all = append(all, m.Subject+"\n"+m.Text)
	}
	if !slices.ContainsFunc(all, func(m string) bool { return strings.Contains(m, text) }) {
		l.p.t.Errorf("SNS was told %q, want %s", all, text)
	}
}

// logContract notes for cmd/awstable what was called, and how the policies decided.
func (l *awsLab) logContract() {
	l.p.t.Helper()
	used := l.requireValid()
	l.p.t.Log(l.cloud.Contract())
	l.p.t.Logf("%d operations used, %d requests validated, %d decisions of policies", len(used), len(l.cloud.Calls()), len(l.cloud.Judgements()))
}
