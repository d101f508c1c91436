package registry

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// console is SageMaker as a person uses it who is not Slipway.
func console(t *testing.T, l *awstest.Lab, user string) *sagemaker.Client {
	t.Helper()
	p := l.AddUser(user)
	return sagemaker.NewFromConfig(aws.Config{
		Region: awstest.Region, HTTPClient: l.Client, Credentials: credentials.NewStaticCredentialsProvider(p.AccessKey, p.SecretKey, ""),
	})
}

// approval sets the approval of a version as the console does.
func approval(t *testing.T, l *awstest.Lab, version int, status types.ModelApprovalStatus, why string) {
	t.Helper()
	in := &sagemaker.UpdateModelPackageInput{ModelPackageArn: arnOf(version), ModelApprovalStatus: status}
	if why != "" {
		in.ApprovalDescription = &why
	}
	if _, err := console(t, l, "ben").UpdateModelPackage(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func arnOf(version int) *string {
	return aws.String(packageARN("arn:aws:sagemaker:"+awstest.Region+":"+awstest.Account+":model-package-group/"+group, version))
}

// Complaint 7: what is decided in the console counts, with who decided, both ways.
func TestRegistry_ConsoleDecisions(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(t *testing.T, l *awstest.Lab, r *Registry, v delivery.ModelVersion)
		want delivery.ModelStatus
		log  []string // status, who and why
	}{
		"approved": {func(t *testing.T, l *awstest.Lab, _ *Registry, v delivery.ModelVersion) {
			approval(t, l, v.Version, types.ModelApprovalStatusApproved, "looks good")
		}, delivery.Approved, []string{"Approved ben looks good"}},
		"rejected": {func(t *testing.T, l *awstest.Lab, _ *Registry, v delivery.ModelVersion) {
			approval(t, l, v.Version, types.ModelApprovalStatusRejected, "biased")
		}, delivery.Rejected, []string{"Rejected ben biased"}},
		"approved here, rejected there": {func(t *testing.T, l *awstest.Lab, r *Registry, v delivery.ModelVersion) {
			decide(t, r, v, delivery.Approved)
			approval(t, l, v.Version, types.ModelApprovalStatusRejected, "")
		}, delivery.Rejected, []string{"Approved ana seen", "Rejected ben "}},
		"rejected here, approved there": {func(t *testing.T, l *awstest.Lab, r *Registry, v delivery.ModelVersion) {
			decide(t, r, v, delivery.Rejected)
			approval(t, l, v.Version, types.ModelApprovalStatusApproved, "again")
		}, delivery.Approved, []string{"Rejected ana seen", "Approved ben again"}},
		"approval taken back": {func(t *testing.T, l *awstest.Lab, r *Registry, v delivery.ModelVersion) {
			decide(t, r, v, delivery.Approved)
			approval(t, l, v.Version, types.ModelApprovalStatusPendingManualApproval, "")
		}, delivery.PendingApproval, []string{"Approved ana seen"}},
		"rejected there, approved here": {func(t *testing.T, l *awstest.Lab, r *Registry, v delivery.ModelVersion) {
			approval(t, l, v.Version, types.ModelApprovalStatusRejected, "biased")
			decide(t, r, v, delivery.Approved)
		}, delivery.Approved, []string{"Rejected ben biased", "Approved ana seen"}},
		"rejected there, then deployed": {func(t *testing.T, l *awstest.Lab, r *Registry, v delivery.ModelVersion) {
			approval(t, l, v.Version, types.ModelApprovalStatusRejected, "biased")
			if err := r.SetStage(t.Context(), v.ModelRef, port.ModelStage{Environment: "prod", State: delivery.RolledBack}); err != nil {
				t.Fatal(err)
			}
		}, delivery.Rejected, []string{"Rejected ben biased"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t)
			r := open(t, l)
			v := registered(t, r)
			tt.do(t, l, r, v)
			got, err := open(t, l).Get(t.Context(), group, v.Version)
			if err != nil || got.Status != tt.want {
				t.Errorf("status = %s, error = %v, want %s", got.Status, err, tt.want)
			}
			decisions, err := open(t, l).Decisions(t.Context(), group, v.Version)
			var log []string
			for _, d := range decisions {
				_, who, _ := strings.Cut("/"+d.By.Name, "/")
				log = append(log, string(d.Status)+" "+who+" "+d.Why)
			}
			if diff := cmp.Diff(tt.log, log); err != nil || diff != "" {
				t.Errorf("decisions, error %v (-want +got):\n%s", err, diff)
			}
			listed, _, err := r.List(t.Context(), port.ModelFilter{Group: group}, port.Page{})
			if diff := cmp.Diff([]delivery.ModelVersion{got}, listed); err != nil || diff != "" {
				t.Errorf("list, error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// Who decided is who AWS authenticated.
func TestRegistry_ConsoleUser(t *testing.T) {
	l := start(t)
	v := registered(t, open(t, l))
	approval(t, l, v.Version, types.ModelApprovalStatusApproved, "")
	got, err := open(t, l).Get(t.Context(), group, v.Version)
	want := delivery.Actor{Issuer: "aws:" + awstest.Account, Subject: "arn:aws:iam::" + awstest.Account + ":user/ben", Name: "ben", Means: delivery.MeansRegistry}
	if diff := cmp.Diff(want, got.DecidedActor); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	change(t, l, v.Version, func(p *awstest.ModelPackage) { delete(p.Fields, "LastModifiedBy"); delete(p.Fields, "CreatedBy") })
	if got, err = open(t, l).Get(t.Context(), group, v.Version); err != nil || got.DecidedBy != "console" {
		t.Errorf("by %q, error = %v, want console", got.DecidedBy, err)
	}
}

// Complaint 7: pending, Logged, Failed and Deleting versions never deploy, whatever their
// approval says.
func TestRegistry_NeverDeploys(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*awstest.ModelPackage)
		want   delivery.ModelStatus
		why    string
	}{
		"Pending":    {func(p *awstest.ModelPackage) { p.Status = "Pending" }, delivery.PendingApproval, ""},
		"InProgress": {func(p *awstest.ModelPackage) { p.Status = "InProgress" }, delivery.PendingApproval, ""},
		"Failed":     {func(p *awstest.ModelPackage) { p.Status, p.Reason = "Failed", "no such image" }, delivery.Rejected, "Failed in SageMaker: no such image"},
		"Deleting":   {func(p *awstest.ModelPackage) { p.Status = "Deleting" }, delivery.Rejected, "Deleting in SageMaker"},
		"Logged":     {func(p *awstest.ModelPackage) { p.Fields["ModelPackageRegistrationType"] = "Logged" }, delivery.PendingApproval, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t)
			v := decide(t, open(t, l), registered(t, open(t, l)), delivery.Approved)
			change(t, l, v.Version, tt.change)
			approved, _, err := open(t, l).List(t.Context(), port.ModelFilter{Group: group, Status: delivery.Approved}, port.Page{Limit: 1})
			if err != nil || len(approved) != 0 {
				t.Errorf("newest approved: %+v, error = %v, want none", approved, err)
			}
			if name == "Deleting" { // it is gone once it was looked at
				l = start(t)
				v = decide(t, open(t, l), registered(t, open(t, l)), delivery.Approved)
				change(t, l, v.Version, tt.change)
			}
			got, err := open(t, l).Get(t.Context(), group, v.Version)
			if err != nil || got.Status != tt.want || !strings.Contains(got.Why, tt.why) {
				t.Errorf("status = %s (%s), error = %v, want %s", got.Status, got.Why, err, tt.want)
			}
			if name == "Deleting" {
				return
			}
			_, err = open(t, l).Decide(t.Context(), v.ModelRef, delivery.ModelDecision{Status: delivery.Approved, By: delivery.Actor{Name: "ana"}})
			if !fault.Is(err, fault.Conflict) {
				t.Errorf("approving it: %v, want %s", err, fault.Conflict)
			}
		})
	}
}

// A version that SageMaker is still making is waited for.
func TestRegistry_WaitsForNewVersion(t *testing.T) {
	l := start(t)
	l.ModelPackageLife("Pending", "InProgress", "Completed")
	v := registered(t, open(t, l))
	if got := decide(t, open(t, l), v, delivery.Approved); got.Status != delivery.Approved {
		t.Errorf("status %s", got.Status)
	}
	l.ModelPackageLife("InProgress", "Failed")
	failed, err := open(t, l).Register(t.Context(), group, digestOf(2), nil, delivery.Lineage{})
	if err != nil || failed.Status != delivery.Rejected {
		t.Errorf("status %s, error = %v, want that it can't be approved", failed.Status, err)
	}
}

// The life cycle mirrors the environment.
func TestRegistry_Stage(t *testing.T) {
	l := start(t)
	r := open(t, l)
	v := decide(t, r, registered(t, r), delivery.Approved)
	updates := l.Count("sagemaker", "UpdateModelPackage")
	for _, s := range []port.ModelStage{
		{Environment: "prod", State: delivery.Deploying, Release: "r1"}, {Environment: "prod", State: delivery.Serving, Release: "r1"},
		{Environment: "prod", State: delivery.Serving, Release: "r1"}, {Environment: "prod", State: delivery.RolledBack, Release: "r1", Why: "p95\nis 3 s"},
	} {
		if err := r.SetStage(t.Context(), v.ModelRef, s); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.Count("sagemaker", "UpdateModelPackage") - updates; n != 3 {
		t.Errorf("%d updates, want 3: what is shown already is not set again", n)
	}
	p := l.ModelPackages(group)[0].Fields
	cycle, _ := p["ModelLifeCycle"].(map[string]any)
	if cycle["Stage"] != "prod" || cycle["StageStatus"] != "RolledBack" || cycle["StageDescription"] != "release r1: p95 is 3 s" {
		t.Errorf("life cycle %v", cycle)
	}
	got, err := r.Get(t.Context(), group, v.Version)
	if err != nil || got.Status != delivery.Approved || got.DecidedBy != "ana" {
		t.Errorf("%+v, error = %v: a stage is no decision", got, err)
	}
	mistaken := v.ModelRef
	mistaken.Digest = digestOf(9)
	if err := r.SetStage(t.Context(), mistaken, port.ModelStage{Environment: "prod", State: delivery.Serving}); !fault.Is(err, fault.Conflict) {
		t.Errorf("another digest: %v", err)
	}
}

// Of versions that were made before, pages of AWS are read to their end.
func TestRegistry_ManyVersions(t *testing.T) {
	l := start(t)
	r := open(t, l)
	v := registered(t, r)
	client := console(t, l, "ben")
	for range 250 {
		if _, err := client.CreateModelPackage(t.Context(), &sagemaker.CreateModelPackageInput{ModelPackageGroupName: aws.String(group)}); err != nil {
			t.Fatal(err)
		}
	}
	if again := registered(t, open(t, l)); again.Version != v.Version {
		t.Errorf("version %d, want %d", again.Version, v.Version)
	}
	all, err := port.Collect(port.AllModels(t.Context(), r, port.ModelFilter{}))
	if err != nil || !slices.EqualFunc(all, []delivery.ModelVersion{v}, func(a, b delivery.ModelVersion) bool { return a.ModelRef == b.ModelRef }) {
		t.Errorf("%d versions, error = %v, want the one that Slipway made", len(all), err)
	}
}

func TestRegistry_StagerConformance(t *testing.T) {
	porttest.TestModelStager(t, func(t *testing.T) porttest.ModelStagerFixture {
		l := start(t)
		return porttest.ModelStagerFixture{Registry: open(t, l), Shown: func(version int) (string, string) {
			cycle, _ := l.ModelPackages("retail")[version-1].Fields["ModelLifeCycle"].(map[string]any)
			environment, _ := cycle["Stage"].(string)
			state, _ := cycle["StageStatus"].(string)
			return environment, state
		}}
	})
}
