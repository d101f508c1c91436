// Package retail defines the types that data, model and server share: the
// features of a till row (Features) and what is predicted from them (Class).
package retail

import "fmt"

// Class is the price sensitivity of a basket, dunnhumby's BASKET_PRICE_SENSITIVITY.
type Class uint8

// The classes, by their names in the data.
const (
	LA Class = iota // less affluent
	MM              // mid-market
	UM              // up-market
)

// NumClasses is how many classes there are: they are numbered from 0.
const NumClasses = 3

// Classes are all classes in their order, which is also that of every vector of probabilities.
func Classes() [NumClasses]Class { return [...]Class{LA, MM, UM} }

// String is the class as the data writes it.
func (c Class) String() string {
	switch c {
	case LA:
		return "LA"
	case MM:
		return "MM"
	case UM:
		return "UM"
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// ParseClass is the inverse of String; XX (unclassified) is not a class.
func ParseClass(s string) (Class, error) {
	for _, c := range Classes() {
		if c.String() == s {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%q is not one of LA, MM, UM", s)
}

// The columns of the data, and the fields of the API, that a prediction is made from.
const (
	BasketSize  = "BASKET_SIZE"  // L, M, S
	BasketType  = "BASKET_TYPE"  // Full Shop, Small Shop, Top Up, XX
	StoreRegion = "STORE_REGION" // E01 ... W03
	StoreFormat = "STORE_FORMAT" // LS, MS, SS, XLS
	ProdCode20  = "PROD_CODE_20" // department, DEP00001 ...
	ProdCode30  = "PROD_CODE_30" // group of departments, G00001 ...
	Spend       = "SPEND"        // paid for the row, in pounds
	Quantity    = "QUANTITY"     // items in the row
)

// Target is the column that is predicted.
const Target = "BASKET_PRICE_SENSITIVITY"

// NumCategories is how many of the features are categories.
const NumCategories = 6

// CategoryNames are the categorical features, in the order of Features.Categories.
func CategoryNames() [NumCategories]string {
	return [...]string{BasketSize, BasketType, StoreRegion, StoreFormat, ProdCode20, ProdCode30}
}

// FeatureNames are the eight features: the categories, then SPEND and QUANTITY.
func FeatureNames() []string {
	names := CategoryNames()
	return append(names[:], Spend, Quantity)
}

// Features is one till row as far as a prediction may look at it.
type Features struct {
	BasketSize, BasketType   string
	StoreRegion, StoreFormat string
	ProdCode20, ProdCode30   string

	Spend    float64 // pounds, >= 0
	Quantity float64 // items, >= 1
}

// Categories are the values of the categorical features, in the order of CategoryNames.
func (f *Features) Categories() [NumCategories]string {
	return [...]string{f.BasketSize, f.BasketType, f.StoreRegion, f.StoreFormat, f.ProdCode20, f.ProdCode30}
}
