package delivery

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Money is an amount in one currency; the zero value is none.
type Money struct {
	Amount   float64 `json:"amount"`
	Currency string  `json:"currency"` // code of ISO 4217, such as USD
}

// maxAmount bounds an amount that is read.
const maxAmount = 1e6

// ParseMoney reads "0.30 USD": more than nothing, and less than a million.
func ParseMoney(text string) (Money, bool) {
	number, currency, _ := strings.Cut(strings.TrimSpace(text), " ")
	amount, err := strconv.ParseFloat(number, 64)
	isCode := len(currency) == 3 && strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	if err != nil || !isCode || !(amount > 0 && amount < maxAmount) {
		return Money{}, false
	}
	return Money{amount, currency}, true
}

// String is "0.115 USD": as many decimals as it takes, but not one, and at most four.
func (m Money) String() string {
	text := strconv.FormatFloat(math.Round(m.Amount*1e4)/1e4, 'f', -1, 64)
	if _, decimals, _ := strings.Cut(text, "."); len(decimals) == 1 {
		text += "0"
	}
	return text + " " + m.Currency
}

// Plus adds an amount of the same currency.
func (m Money) Plus(other Money) Money {
	m.Amount += other.Amount
	if m.Currency == "" {
		m.Currency = other.Currency
	}
	return m
}

// IsAbove reports whether it is more than the other, by more than a rounding error.
func (m Money) IsAbove(other Money) bool { return m.Amount > other.Amount+1e-9 }

// JobUsage is what a job used of machines that are paid for.
type JobUsage struct {
	Instance string   `json:"instance"` // type
	Count    int      `json:"count"`    // of instances
	Billed   Duration `json:"billed"`   // of each of them
}

// JobCost is what a job used and what that cost, as far as it is known.
type JobCost struct {
	Job       string    `json:"job,omitempty"`
	Usage     *JobUsage `json:"usage,omitempty"`
	Amount    *Money    `json:"amount,omitempty"`    // nil: the price is not known
	Estimated bool      `json:"estimated,omitempty"` // the job's end is not known: Amount is the plan's estimate
}

// Rate is what an instance costs that a job may get, and for how long it is paid.
type Rate struct {
	Instance string   `json:"instance"`        // type
	Count    int      `json:"count,omitempty"` // of instances; 0: one
	Price    Money    `json:"price,omitzero"`  // of one for an hour; none: not known
	Limit    Duration `json:"limit,omitempty"` // for which the job runs at most; 0: the step's timeout
	Kept     Duration `json:"kept,omitempty"`  // for which the instances are paid after its end, at most
}

// Cost is what the instances cost for a time, with that for which they are kept after it.
func (r Rate) Cost(d time.Duration) Money {
	return Money{Amount: r.Price.Amount * (d + r.Kept.D()).Hours() * float64(max(r.Count, 1)), Currency: r.Price.Currency}
}

// CostEstimate is what a job will cost, before it is begun.
type CostEstimate struct {
	Amount Money  `json:"amount"`
	Text   string `json:"text"`           // "at most 1.15 USD: ml.m5.large, 0.115 USD/h, 10h limit"
	Ahead  Money  `json:"ahead,omitzero"` // of the jobs after it in the same run
	Rates  []Rate `json:"rates"`          // by which the cost is computed when it has ended
}

// Budget is what jobs elsewhere may cost. A zero amount is no limit.
type Budget struct {
	PerRun   Money `json:"per_run,omitzero"`
	PerMonth Money `json:"per_month,omitzero"` // of the calendar, in UTC
}
