package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// caller is whose the credentials are, and what AWS's clock showed.
type caller struct {
	account, arn string
	skew         time.Duration // of this machine's clock: positive if it is fast
}

// identify asks once for all checks.
func (p *place) identify(ctx context.Context) (caller, error) {
	return p.who.get(ctx, func(ctx context.Context) (caller, error) {
		s, err := p.open(ctx)
		if err != nil {
			return caller{}, err
		}
		out, err := sts.NewFromConfig(s.Config).GetCallerIdentity(ctx, nil)
		if err != nil {
			return caller{}, s.Explain(ctx, "find out whose the credentials of AWS are", err)
		}
		who := caller{account: aws.ToString(out.Account), arn: aws.ToString(out.Arn)}
		if served, ok := middleware.GetServerTime(out.ResultMetadata); ok {
			received, _ := middleware.GetResponseAt(out.ResultMetadata)
			who.skew = received.Sub(served)
		}
		return who, nil
	})
}

func (p *place) credentials(ctx context.Context) port.CheckResult {
	who, err := p.identify(ctx)
	switch {
	case err == nil:
		return ok(who.arn)
	case ctx.Err() != nil, isDNS(err):
		return unknown(ctx, err)
	}
	mend := fault.HintOf(err)
	if mend == "" {
		mend = "check with `aws sts get-caller-identity`"
	}
	return failed(err.Error(), mend)
}

func isDNS(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns)
}

func (p *place) account(ctx context.Context) port.CheckResult {
	who, err := p.identify(ctx)
	switch {
	case err != nil:
		return port.CheckResult{State: port.CheckUnknown, Seen: "not known without credentials", Mend: "see credentials"}
	case p.at.Account == "":
		return port.CheckResult{State: port.CheckWarning, Seen: who.account + ", and slipway.yaml names none", Mend: fmt.Sprintf("set aws: {account: %q} in slipway.yaml", who.account)}
	case who.account != p.at.Account:
		return failed(fmt.Sprintf("the credentials are of account %s, slipway.yaml names %s", who.account, p.at.Account),
			fmt.Sprintf("use credentials of account %s (AWS_PROFILE, `aws login`), or correct aws.account", p.at.Account))
	}
	return ok(who.account)
}

// region is a name that AWS has an address for.
func (p *place) region(ctx context.Context) port.CheckResult {
	_, err := p.identify(ctx)
	switch {
	case err == nil:
		return ok(p.at.Region)
	case isDNS(err):
		return failed(fmt.Sprintf("%s has no address of AWS: is it the name of a region?", p.at.Region),
			"correct aws.region; `aws ec2 describe-regions --query Regions[].RegionName` lists them")
	}
	return port.CheckResult{State: port.CheckUnknown, Seen: p.at.Region + ", not known without credentials", Mend: "see credentials"}
}

// AWS refuses signatures of clocks that differ by more than five minutes.
const (
	maxSkew    = 5 * time.Minute
	noticeSkew = time.Minute
)

func (p *place) clock(ctx context.Context) port.CheckResult {
	who, err := p.identify(ctx)
	if err != nil {
		return port.CheckResult{State: port.CheckUnknown, Seen: "not known without an answer of AWS", Mend: "see credentials"}
	}
	const mend = "set this machine's clock: `timedatectl set-ntp true`"
	seen := fmt.Sprintf("%s from AWS's", who.skew.Abs().Round(time.Second))
	switch {
	case who.skew.Abs() >= maxSkew:
		return failed(seen+": AWS refuses signatures of such a clock", mend)
	case who.skew.Abs() >= noticeSkew:
		return port.CheckResult{State: port.CheckWarning, Seen: seen, Mend: mend}
	}
	return ok("right within a minute")
}
