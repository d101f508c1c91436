package design

import (
	"maps"
	"regexp"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
)

// collect gives the roles their rights, and finds the resources.
func (d *designer) collect() {
	for _, name := range d.project.EnvironmentNames() {
		env := delivery.Environment(name)
		d.collectImages(env)
		d.collectData(env)
		if d.isHere(env) {
			d.collectTarget(env)
			d.collectWatch(env)
		}
		if d.isCommon() {
			d.collectNotify(env)
			d.collectState(env)
		}
	}
	for _, u := range d.users() {
		d.collectSection(u)
	}
	if p := d.project.AWS; p.Logs != "" && d.isCommon() {
		d.add(account.Resource{
			Kind: account.KindLogGroup, Name: p.Logs, ARN: d.place("").ARN("logs", "log-group:"+p.Logs), Why: "events of runs",
			Spec: account.LogGroup{RetentionDays: account.RetentionDays},
		})
	}
}

// grant gives a role rights; that of pull requests only those that read.
func (d *designer) grant(r *role, all []account.Statement) {
	if r.arn == d.global("iam", "role/"+d.newName("pull-request")) {
		all = readsOf(all)
	}
	r.rights = append(r.rights, all...)
}

var ecrHost = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$`)

// collectImages: pushing, scanning, and looking for what a rollback returns to.
func (d *designer) collectImages(env delivery.Environment) {
	p, e := d.project.In(env), d.project.Environments[env]
	host, path := delivery.SplitRepository(p.Image.Repository)
	m := ecrHost.FindStringSubmatch(host)
	if m == nil || m[1] != d.options.Account || m[2] != d.options.Region || !d.reaches(env, step.Scan) {
		return
	}
	r := d.job(env)
	if arn := d.project.RegistryRoles()[host]; arn != "" {
		r = d.environmentRole(env)
	}
	at, parts := d.place(env), d.options.Kinds.AWS
	promotes := e.From != "" && d.project.In(e.From).Image.Repository == p.Image.Repository
	if parts.Push != nil && d.reaches(env, step.Push) && !promotes {
		d.grant(r, parts.Push(at, path, p.Image.Create))
	}
	if s := p.Scan; s != nil && e.From == "" {
		for _, kind := range []extension.Kind{s.With, s.Also} {
			if c, err := d.options.Kinds.Scanner(kind); err == nil && c.Rights != nil {
				d.grant(r, c.Rights(at, path))
			}
		}
	}
	if parts.Pull != nil && e.Deploys() {
		d.grant(r, parts.Pull(at, path))
	}
	d.add(account.Resource{
		Kind: account.KindRepository, Name: path, ARN: at.ARN("ecr", "repository/"+path), Data: true, Why: "images of releases",
		Spec: account.Repository{Immutable: true, ScanOnPush: true, UntaggedDays: account.UntaggedDays},
	})
}

func (d *designer) collectData(env delivery.Environment) {
	p := d.project.In(env)
	datasets := d.options.Kinds.AWS.Datasets
	if p.Model == nil || datasets == nil || !d.isCommon() || !d.trains(env) {
		return
	}
	var uris []string
	for _, text := range p.Model.Data {
		if config.IsDataset(text) {
			uris = append(uris, text)
		}
	}
	d.grant(d.job(env), datasets(d.place(env), uris))
}

// collectTarget: the cluster, and what the role is in it.
func (d *designer) collectTarget(env delivery.Environment) {
	e := d.project.Environments[env]
	u, ok := e.Target.Section.(extension.RightsUser)
	if !ok {
		return
	}
	r, at := d.environmentRole(env), d.place(env)
	d.grant(r, u.AWSRights(at).Statements)
	c, ok := e.Target.Section.(extension.ClusterUser)
	if !ok {
		return
	}
	cluster, namespace := c.EKSPlace()
	group := "slipway:" + namespace
	d.add(account.Resource{
		Kind: account.KindNamespace, Name: cluster + "/" + namespace, Environment: env, Why: "what runs of " + string(env) + " may do in the namespace",
		Spec: account.NamespaceRights{Cluster: cluster, Namespace: namespace, Group: group},
	})
	d.addEntry(r, env, cluster, group)
	d.addPods(env, cluster, namespace)
}

// addEntry maps the role to the group; one that several environments share is in all of
// their groups.
func (d *designer) addEntry(r *role, env delivery.Environment, cluster, group string) {
	entry := account.Resource{
		Kind: account.KindAccessEntry, Name: cluster + "/" + r.name(), Environment: env, Why: "who the role is in the cluster",
		Spec: account.AccessEntry{Cluster: cluster, Principal: r.arn, Groups: []string{group}},
	}
	key := string(entry.Kind) + " " + entry.Name
	if known, ok := d.resources[key]; ok {
		if spec, ok := known.Spec.(account.AccessEntry); ok && !slices.Contains(spec.Groups, group) {
			spec.Groups = slices.Sorted(slices.Values(append(slices.Clone(spec.Groups), group)))
			known.Spec = spec
		}
		known.Environment = ""
		d.resources[key] = known
		return
	}
	d.add(entry)
}

// collectWatch: alarms, probes, metrics and logs, by the environment's role.
func (d *designer) collectWatch(env delivery.Environment) {
	e, a, parts, at := d.project.Environments[env], d.project.AWS, d.options.Kinds.AWS, d.place(env)
	var all []account.Statement
	if len(e.Alarms) > 0 && parts.Alarms != nil {
		all = append(all, parts.Alarms(at, slices.ContainsFunc(e.Alarms, config.Alarm.Measured))...)
	}
	namespaces := map[string]bool{}
	if e.AlarmsFrom.Synthetic {
		namespaces[a.ProbeNamespace()] = true
	}
	if a.Metrics != "" {
		namespaces[a.Metrics] = true
	}
	for _, namespace := range slices.Sorted(maps.Keys(namespaces)) {
		if parts.Metrics != nil {
			all = append(all, parts.Metrics(at, namespace)...)
		}
	}
	if a.Logs != "" && parts.Logs != nil {
		all = append(all, parts.Logs(at, a.Logs)...)
	}
	switch {
	case len(all) == 0:
	case d.onlyPulls(env):
		d.grant(d.pulls(), all)
	case e.AWS.Role == "" && !e.Deploys(): // called with the credentials as they are
		d.grant(d.job(env), all)
	default:
		d.grant(d.environmentRole(env), all)
	}
}

func (d *designer) collectNotify(env delivery.Environment) {
	for _, n := range d.project.Notify {
		u, ok := n.Section.(extension.RightsUser)
		if !ok {
			continue
		}
		r := u.AWSRights(d.place(""))
		d.grant(d.job(env), r.Statements)
		for _, res := range r.Resources {
			d.add(res)
		}
	}
}

// collectState: the records that machines share.
func (d *designer) collectState(env delivery.Environment) {
	if d.project.State.URL == "" {
		return
	}
	u, store, err := d.options.Kinds.ParseStateURL(d.project.State.URL)
	if err != nil || store.Rights == nil {
		return
	}
	at := d.place("")
	d.grant(d.job(env), store.Rights(at, u))
	d.add(account.Resource{
		Kind: account.KindBucket, Name: u.Host, ARN: at.BucketARN(u.Host), Data: true, Shared: true, Why: StateWhy, Spec: account.Bucket{Versioned: true},
	})
}

// StateWhy is the Why of the bucket with the shared state, which is made first.
const StateWhy = "the state that machines share"

// collectSection: what a section of the model calls, by its own role or the job's.
func (d *designer) collectSection(u user) {
	all := u.user.AWSRights(u.at)
	statements := all.Statements
	if !d.reaches(u.env, step.Train) { // the registry is only read
		statements = readsOf(statements)
	}
	r := d.job(u.env)
	if all.Role != "" && !d.onlyPulls(u.env) {
		r = d.section(all.Role)
		if !slices.Contains(r.enters, u.env) {
			r.enters = append(r.enters, u.env)
		}
	}
	d.grant(r, statements)
	for _, res := range all.Resources {
		d.add(res)
	}
	for _, pass := range all.Passes {
		passed := d.role(pass.ARN)
		passed.named, passed.service = true, pass.Service
		passed.description, passed.why = "What jobs of "+d.project.Service+" may do.", pass.Why
		passed.rights = append(passed.rights, pass.Statements...)
	}
}
