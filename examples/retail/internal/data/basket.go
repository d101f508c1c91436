package data

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"example.com/retail/internal/retail"
)

// Basket identifies one visit to one till. BASKET_ID would be the obvious key,
// but published copies of the data went through a spreadsheet that wrote every
// one of them as 9.94E+14, so the columns that a visit fixes are used instead.
type Basket struct {
	Customer, Date, Hour, Store string
	Size, Type, Mission         string
}

// Split says how HeldOut divides the data; it is written next to every figure measured.
const Split = "by basket: held out when sha256(basket key) mod 4 = 0"

const heldOutOneIn = 4

// HeldOut reports whether b is kept from training and used for measuring: a
// quarter of all baskets. It depends on the basket alone, not on the file or the
// order of rows, so that all rows of a basket fall on the same side, always.
func (b Basket) HeldOut() bool {
	key := strings.Join([]string{b.Customer, b.Date, b.Hour, b.Store, b.Size, b.Type, b.Mission}, "\x1f")
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:8])%heldOutOneIn == 0
}

// Row is one classified till row.
type Row struct {
	retail.Features
	Class  retail.Class
	Basket Basket
}

// Divide sorts rows into those to learn from and those to measure on, by basket.
func Divide(rows []Row) (training, heldOut []Row) {
	for _, r := range rows {
		if r.Basket.HeldOut() {
			heldOut = append(heldOut, r)
		} else {
			training = append(training, r)
		}
	}
	return training, heldOut
}

// Baskets counts the distinct baskets in rows.
func Baskets(rows []Row) int {
	seen := make(map[Basket]struct{})
	for _, r := range rows {
		seen[r.Basket] = struct{}{}
	}
	return len(seen)
}
