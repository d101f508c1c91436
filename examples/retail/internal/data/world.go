package data

import (
	"fmt"
	"math"
	"math/rand/v2"

	"example.com/retail/internal/retail"
)

// worldSeed fixes shops, customers and shelves. The seed of Generate draws the
// visits only: another seed is another week of the same business, so a model
// trained on one can be compared with a model trained on the other.
const worldSeed = 200607

const (
	numStores      = 60
	numCustomers   = 1500
	numDepartments = 60
	numGroups      = 24
	numDivisions   = 8

	// A department's shelf holds the same thing at shelfSteps prices around its
	// usual one, shelfStep apart in natural log: from a fifth of it to five times.
	shelfSteps = 17
	shelfStep  = 0.2
)

// world is what stays the same from week to week.
type world struct {
	stores      []store
	customers   []customer
	departments []department
	basketOf    [retail.NumClasses]chooser // department by class of the basket
}

type store struct{ code, format, region string }

type customer struct {
	code, lifestage string
	class           retail.Class
	store           int
}

type department struct {
	code20, code30, code40 string
	shelf                  [shelfSteps]product // cheapest first
}

type product struct {
	code, code10 string
	pence        int
}

func newWorld() world {
	r := rand.New(rand.NewPCG(worldSeed, 1)) //nolint:gosec // the same world each time
	var w world
	for i := range numStores {
		w.stores = append(w.stores, store{
			code:   fmt.Sprintf("STORE%05d", i+1),
			format: []string{"LS", "MS", "SS", "XLS"}[choose(.62, .2, .08, .1).draw(r)],
			region: regions()[i%len(regions())],
		})
	}
	for i := range numCustomers {
		home := r.IntN(numStores)
		w.customers = append(w.customers, customer{
			code:      fmt.Sprintf("CUST%010d", 1000+37*i),
			lifestage: []string{"OT", "YF", "YA", "OA", "PE", "OF", ""}[r.IntN(7)],
			class:     retail.Class(classesIn(w.stores[home].region).draw(r)),
			store:     home,
		})
	}
	for i := range numDepartments {
		w.departments = append(w.departments, newDepartment(r, i))
	}
	for _, c := range retail.Classes() {
		w.basketOf[c] = departmentsOf(c)
	}
	return w
}

func newDepartment(r *rand.Rand, i int) department {
	group := i % numGroups
	d := department{
		code20: fmt.Sprintf("DEP%05d", i+1),
		code30: fmt.Sprintf("G%05d", group+1),
		code40: fmt.Sprintf("D%05d", group%numDivisions+1),
	}
	usual := math.Exp(r.NormFloat64()*0.5) * 1.6 // pounds
	for s := range d.shelf {
		price := usual * math.Exp(shelfStep*float64(s-shelfSteps/2))
		d.shelf[s] = product{
			code:   fmt.Sprintf("PRD%07d", 900001+i*shelfSteps+s),
			code10: fmt.Sprintf("CL%05d", 1+i*3+s%3),
			pence:  max(1, int(math.Round(price*100))),
		}
	}
	return d
}

func regions() []string {
	return []string{"E01", "E02", "E03", "N01", "N02", "N03", "S01", "S02", "S03", "W01", "W02", "W03"}
}

// classesIn are the shares of LA, MM and UM in a region: about those of the real
// week (a quarter, a half, a quarter), poorer in the north, richer in the south.
func classesIn(region string) chooser {
	switch region[0] {
	case 'N':
		return choose(.33, .45, .22)
	case 'S':
		return choose(.18, .46, .36)
	}
	return choose(.25, .46, .29)
}

// departmentsOf are the shares of the departments in a basket. One in five sells
// value ranges and is twice as likely with LA, one in five delicacies, with UM.
func departmentsOf(c retail.Class) chooser {
	weights := make([]float64, numDepartments)
	for i := range weights {
		weights[i] = 1 / float64(3+i%17)
		if i%5 == 0 && c == retail.LA || i%5 == 1 && c == retail.UM {
			weights[i] *= 2
		}
	}
	return choose(weights...)
}

// chooser draws an index with a given chance for each.
type chooser struct{ cumulative []float64 }

// choose makes a chooser from weights, which need not add up to 1.
func choose(weights ...float64) chooser {
	total := 0.0
	for i, w := range weights {
		total += w
		weights[i] = total
	}
	return chooser{weights}
}

func (c chooser) draw(r *rand.Rand) int {
	last := len(c.cumulative) - 1
	x := r.Float64() * c.cumulative[last]
	for i, sum := range c.cumulative[:last] {
		if x < sum {
			return i
		}
	}
	return last
}
