package account

import "fmt"

// Cost is what AWS charges for, of the resources of one kind.
type Cost struct {
	Kind   Kind   `json:"kind"`
	Count  int    `json:"count"`
	Each   string `json:"each"`   // what is charged for
	Prices string `json:"prices"` // where AWS has the prices: they differ by region, and change
	Fixed  bool   `json:"fixed"`  // each month, whether it is used or not
}

// String returns the cost for people.
func (c Cost) String() string {
	noun := string(c.Kind)
	if c.Count > 1 {
		noun += "s"
		if c.Kind == KindRepository {
			noun = "repositories"
		}
	}
	return fmt.Sprintf("%d %s: %s (%s)", c.Count, noun, c.Each, c.Prices)
}

// charged is what AWS charges for. Kinds that are missing cost nothing.
func charged() []Cost {
	return []Cost{
		{Kind: KindAlarm, Each: "each month of each alarm, by the metrics that it reads", Prices: "https://aws.amazon.com/cloudwatch/pricing/", Fixed: true},
		{Kind: KindBucket, Each: "stored bytes of every version, and requests", Prices: "https://aws.amazon.com/s3/pricing/"},
		{Kind: KindRepository, Each: "stored bytes, and transfer out of the region", Prices: "https://aws.amazon.com/ecr/pricing/"},
		{Kind: KindLogGroup, Each: "bytes that are written, and stored bytes", Prices: "https://aws.amazon.com/cloudwatch/pricing/"},
		{Kind: KindTopic, Each: "messages and deliveries", Prices: "https://aws.amazon.com/sns/pricing/"},
	}
}

// Costs returns what AWS charges for, of these resources: what costs each month whether
// it is used or not comes first. Those of kinds that cost nothing have no entry.
func Costs(all []Resource) (costs []Cost) {
	for _, c := range charged() {
		for _, r := range all {
			if r.Kind == c.Kind {
				c.Count++
			}
		}
		if c.Count > 0 {
			costs = append(costs, c)
		}
	}
	return costs
}
