package config

import (
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Budget is what training may cost.
type Budget struct {
	PerRun   string `yaml:"per_run" json:",omitempty" jsonschema_description:"What a run may be estimated to cost, such as 5 USD."`
	PerMonth string `yaml:"per_month" json:",omitempty" jsonschema_description:"What all runs of a calendar month (UTC) may cost together, such as 50 USD: what is recorded, and the estimate."`
}

// Amounts returns the amounts; what is not set is zero.
func (b Budget) Amounts() (all delivery.Budget) {
	all.PerRun, _ = delivery.ParseMoney(b.PerRun)
	all.PerMonth, _ = delivery.ParseMoney(b.PerMonth)
	return all
}

const budgetPath = "model.budget"

// validateBudget checks amounts and currencies, and that what they limit has a price: a
// budget that can't be compared with anything would let everything pass.
func (d *decoder) validateBudget(m *Model) {
	if m.Budget == nil {
		return
	}
	currency := ""
	for _, key := range []struct{ name, text string }{{"per_run", m.Budget.PerRun}, {"per_month", m.Budget.PerMonth}} {
		at := budgetPath + "." + key.name
		if !d.isSet(at) {
			continue
		}
		amount, ok := delivery.ParseMoney(key.text)
		switch {
		case !ok:
			d.addError(at, "an amount with its currency, such as 5 USD", "%s: invalid amount %q", at, key.text)
		case currency != "" && amount.Currency != currency:
			d.addError(at, "use one currency", "%s: it is in %s, and per_run in %s", at, amount.Currency, currency)
		default:
			currency = amount.Currency
		}
	}
	if !d.isSet(budgetPath+".per_run") && !d.isSet(budgetPath+".per_month") {
		d.addError(budgetPath, "such as {per_run: 5 USD, per_month: 50 USD}", "%s: set per_run, per_month or both", budgetPath)
	}
	if !m.IsRemote() {
		d.addError(budgetPath, "remove it, or set model.train.on", "%s: not used: the model is not trained elsewhere than on this machine", budgetPath)
		return
	}
	if m.Train != nil && m.Train.isRemote() {
		d.checkPrices("model.train.on", *m.Train.On, currency)
	}
	if m.Evaluate != nil && m.Evaluate.IsRemote() {
		d.checkPrices("model.evaluate.on", *m.Evaluate.On, currency)
	}
}

// checkPrices reports instances whose price is not known in the budget's currency.
func (d *decoder) checkPrices(path string, on Runner, currency string) {
	if len(on.Rates) == 0 {
		d.addError(budgetPath, "remove it, or train where prices are known: on: {sagemaker: {price: {...}}}", "%s: what jobs on %s cost is not known", budgetPath, on.Kind)
		return
	}
	at := fmt.Sprintf("%s.%s.%s", path, on.Kind, on.Priced)
	for _, r := range on.Rates {
		switch {
		case r.Price.Currency == "" && !d.isSet(at+"."+r.Instance): // a price that is wrong was reported
			d.addError(at, fmt.Sprintf("set it: %s: {%s: 0.30 USD}, for an hour", on.Priced, r.Instance), "%s: %s needs the price of %s", at, budgetPath, r.Instance)
		case r.Price.Currency != "" && currency != "" && r.Price.Currency != currency:
			d.addError(at, "use one currency", "%s: the price of %s is in %s, and %s in %s", at, r.Instance, r.Price.Currency, budgetPath, currency)
		}
	}
}
