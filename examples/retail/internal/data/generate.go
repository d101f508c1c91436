package data

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"

	"example.com/retail/internal/retail"
)

// The planted signal, see Generate.
const (
	tierStep    = 0.7  // log price between LA and MM, and MM and UM: about a factor of 2
	tierNoise   = 0.23 // standard deviation of the log price within a basket
	oddBaskets  = 0.02 // baskets bought by the price level of another class
	loyalToSelf = 0.6  // visits in which a customer shops by the own class
	anonymous   = 0.2  // visits without a customer card
)

const firstBasketID = 994_100_100_000_000

// Generate writes rows till rows as CSV with the columns of Header, CRLF ended
// as the original is. The same rows and seed write the same bytes.
//
// The signal: a basket has a class (LA, MM, UM), and for each item its shopper
// takes from the department's shelf the product nearest to a price of
//
//	usual price of the department * exp(0.7*(class-MM) + noise),  noise ~ N(0, 0.23)
//
// so LA pays about half and UM twice the usual price per unit. Weaker hints: the
// share of the classes differs by region (more LA in N, more UM in S), value
// departments are likelier with LA and delicacies with UM, and UM baskets are
// smaller. All of it shows in the eight features: SPEND/QUANTITY against
// PROD_CODE_20 first, then STORE_REGION, PROD_CODE_30 and BASKET_SIZE.
//
// The noise: neighbouring classes overlap in price, and 2 in 100 baskets are bought
// at the price level of a class drawn at random. What the features allow at best
// is about 0.9 accuracy, not 1. The label is the basket's, so rows of one
// basket always agree, as in the original.
func Generate(w io.Writer, rows int, seed uint64) error {
	g := generator{world: newWorld(), rand: rand.New(rand.NewPCG(seed, 2))} //nolint:gosec // the same seed has to make the same data
	out := csv.NewWriter(w)
	out.UseCRLF = true
	header := Header()
	_ = out.Write(header[:]) // errors stay in out until Flush
	for left := rows; left > 0; {
		for _, record := range g.basket(left) {
			_ = out.Write(record[:])
			left--
		}
	}
	out.Flush()
	return out.Error()
}

type generator struct {
	world   world
	rand    *rand.Rand
	baskets int
}

// basket draws one visit, cut off after limit rows.
func (g *generator) basket(limit int) [][Columns]string {
	who, known, class := g.shopper()
	where := g.world.stores[who.store]
	size := []string{"L", "M", "S"}[basketSizes(class).draw(g.rand)]
	kind, items := g.trip(size)

	var common [Columns]string
	g.stamp(&common)
	common[colBasketSize] = size
	common[colBasketType] = kind
	common[colBasketDominantMission] = []string{"Fresh", "Mixed", "Grocery", "Nonfood"}[choose(.52, .36, .1, .02).draw(g.rand)]
	common[colBasketPriceSensitivity] = class.String()
	common[colStoreCode], common[colStoreFormat], common[colStoreRegion] = where.code, where.format, where.region
	if known {
		common[colCustCode] = who.code
		common[colCustPriceSensitivity] = who.class.String()
		common[colCustLifestage] = who.lifestage
	}

	tier := class
	if g.rand.Float64() < oddBaskets {
		tier = retail.Class(g.rand.IntN(retail.NumClasses))
	}
	records := make([][Columns]string, min(items, limit))
	for i := range records {
		records[i] = common
		g.item(&records[i], class, tier)
	}
	return records
}

// shopper draws a customer, whether a loyalty card identifies it, and the class
// of the basket.
func (g *generator) shopper() (who customer, known bool, class retail.Class) {
	who = g.world.customers[g.rand.IntN(numCustomers)]
	known = g.rand.Float64() >= anonymous
	class = who.class
	if g.rand.Float64() >= loyalToSelf {
		class = retail.Class(classesIn(g.world.stores[who.store].region).draw(g.rand))
	}
	return who, known, class
}

func basketSizes(c retail.Class) chooser {
	if c == retail.UM {
		return choose(.32, .38, .3)
	}
	return choose(.42, .36, .22)
}

// trip draws the kind of shopping trip and how many rows it leaves.
func (g *generator) trip(size string) (kind string, items int) {
	switch size {
	case "L":
		return []string{"Full Shop", "Top Up"}[choose(.6, .4).draw(g.rand)], 8 + g.rand.IntN(13)
	case "M":
		return []string{"Top Up", "Small Shop"}[choose(.7, .3).draw(g.rand)], 3 + g.rand.IntN(5)
	}
	return "Small Shop", 1 + g.rand.IntN(2)
}

// stamp writes the time and number of a visit: week 200607 is Monday 2006-04-10 to Sunday 16.
func (g *generator) stamp(record *[Columns]string) {
	day := g.rand.IntN(7)
	record[colShopWeek] = "200607"
	record[colShopDate] = strconv.Itoa(20060410 + day)
	record[colShopWeekday] = strconv.Itoa((day+1)%7 + 1)
	record[colShopHour] = strconv.Itoa(8 + g.rand.IntN(14))
	record[colBasketID] = strconv.Itoa(firstBasketID + g.baskets)
	g.baskets++
}

// item draws one row: a department as the class likes it, a product as the price tier buys it.
func (g *generator) item(record *[Columns]string, class, tier retail.Class) {
	d := g.world.departments[g.world.basketOf[class].draw(g.rand)]
	wanted := tierStep*float64(int(tier)-int(retail.MM)) + tierNoise*g.rand.NormFloat64()
	step := shelfSteps/2 + int(math.Round(wanted/shelfStep))
	p := d.shelf[min(max(step, 0), shelfSteps-1)]
	quantity := []int{1, 2, 3, 4, 6}[choose(.8, .1, .06, .03, .01).draw(g.rand)]
	pence := p.pence * quantity

	record[colQuantity] = strconv.Itoa(quantity)
	record[colSpend] = fmt.Sprintf("%d.%02d", pence/100, pence%100)
	record[colProdCode], record[colProdCode10] = p.code, p.code10
	record[colProdCode20], record[colProdCode30], record[colProdCode40] = d.code20, d.code30, d.code40
}
