// Package data reads till rows from dunnhumby's CSV, splits them by basket, and
// generates rows of its own (see Generate for the signal planted in them).
package data

// Columns is the number of columns of dunnhumby's till data.
const Columns = 22

// The position of each column. SHOP_DATE is yyyymmdd, SHOP_WEEKDAY counts from
// 1 = Sunday, SHOP_HOUR is 0-23, SPEND is in pounds with two decimals.
const (
	colShopWeek = iota
	colShopDate
	colShopWeekday
	colShopHour
	colQuantity
	colSpend
	colProdCode
	colProdCode10
	colProdCode20
	colProdCode30
	colProdCode40
	colCustCode
	colCustPriceSensitivity
	colCustLifestage
	colBasketID
	colBasketSize
	colBasketPriceSensitivity
	colBasketType
	colBasketDominantMission
	colStoreCode
	colStoreFormat
	colStoreRegion
)

// Header is the first line of the data: dunnhumby's names in dunnhumby's order.
func Header() [Columns]string {
	return [...]string{
		"SHOP_WEEK", "SHOP_DATE", "SHOP_WEEKDAY", "SHOP_HOUR", "QUANTITY", "SPEND",
		"PROD_CODE", "PROD_CODE_10", "PROD_CODE_20", "PROD_CODE_30", "PROD_CODE_40",
		"CUST_CODE", "CUST_PRICE_SENSITIVITY", "CUST_LIFESTAGE",
		"BASKET_ID", "BASKET_SIZE", "BASKET_PRICE_SENSITIVITY", "BASKET_TYPE",
		"BASKET_DOMINANT_MISSION", "STORE_CODE", "STORE_FORMAT", "STORE_REGION",
	}
}
