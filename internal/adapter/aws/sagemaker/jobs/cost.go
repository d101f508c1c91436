package jobs

import (
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// rates are what a job may cost on each of the instances that it may get. A budget for
// training counts warm pools for all the time that they are kept.
func rates(s *Section) []delivery.Rate {
	var all []delivery.Rate
	for _, t := range s.Instances {
		price, _ := delivery.ParseMoney(s.Price[t])
		all = append(all, delivery.Rate{Instance: t, Count: s.Count, Price: price, Limit: s.MaxRuntime, Kept: s.KeepAlive})
	}
	return all
}

// used is what a job used that has ended, or that is being stopped. What AWS bills for one
// that was stopped or failed is not always known at once: then it is all the time since it
// got its instances.
func (l look) used(now time.Time) *delivery.JobUsage {
	billed := time.Duration(l.billable) * time.Second
	if billed == 0 && !l.begun.IsZero() {
		billed = max(l.ranFor(now).Round(time.Second), time.Second)
	}
	return &delivery.JobUsage{Instance: l.instance, Count: int(l.count), Billed: delivery.Duration(billed)}
}

// usage is what a job used, and what that cost as far as slipway.yaml has the price.
func (j *Jobs) usage(u delivery.JobUsage) string {
	text := fmt.Sprintf("%d x %s, %s billed", u.Count, u.Instance, u.Billed.D())
	price, ok := delivery.ParseMoney(j.section.Price[u.Instance])
	if !ok {
		return text + "; cost unknown: on.sagemaker.price has no " + u.Instance
	}
	cost := delivery.Rate{Count: u.Count, Price: price}.Cost(u.Billed.D())
	return fmt.Sprintf("%s, about %.2f %s", text, cost.Amount, cost.Currency)
}
