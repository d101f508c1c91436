package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
)

func generated(t *testing.T, rows int, seed uint64) []byte {
	t.Helper()
	var text bytes.Buffer
	if err := Generate(&text, rows, seed); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// The digest is pinned because data sets are: another one means that a change to
// the generator has made every figure measured before it void.
func TestGenerate_IsDeterministic(t *testing.T) {
	const want = "8f94c12770f45a59ac93513c340ecccfccd3e666b364f42eb0ec67e1150162e0"
	text := generated(t, 500, 7)
	if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != want {
		t.Errorf("digest of 500 rows with seed 7 is %s, was %s", got, want)
	}
	if !bytes.Equal(text, generated(t, 500, 7)) {
		t.Error("a second call with the same seed wrote other bytes")
	}
	if bytes.Equal(text, generated(t, 500, 8)) {
		t.Error("another seed wrote the same bytes")
	}
}

func TestGenerate_Columns(t *testing.T) {
	const original = "SHOP_WEEK,SHOP_DATE,SHOP_WEEKDAY,SHOP_HOUR,QUANTITY,SPEND,PROD_CODE,PROD_CODE_10,PROD_CODE_20,PROD_CODE_30,PROD_CODE_40,CUST_CODE,CUST_PRICE_SENSITIVITY,CUST_LIFESTAGE,BASKET_ID,BASKET_SIZE,BASKET_PRICE_SENSITIVITY,BASKET_TYPE,BASKET_DOMINANT_MISSION,STORE_CODE,STORE_FORMAT,STORE_REGION\r\n"
	for _, rows := range []int{1, 2, 333} {
		text := generated(t, rows, 1)
		if !strings.HasPrefix(string(text), original) {
			t.Fatalf("header is %q", bytes.SplitAfterN(text, []byte("\n"), 2)[0])
		}
		table, err := Read(bytes.NewReader(text))
		if err != nil || len(table.Rows) != rows || table.Dropped != 0 {
			t.Errorf("asked for %d rows: read %d, dropped %d, %v", rows, len(table.Rows), table.Dropped, err)
		}
	}
}

func TestGenerate_BasketHasOneClassAndSplit(t *testing.T) {
	records, err := csv.NewReader(bytes.NewReader(generated(t, 5000, 3))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	type visit struct {
		class   string
		heldOut bool
	}
	visits := make(map[string]visit) // by BASKET_ID, which generated data has in full
	for _, record := range records[1:] {
		row, err := parse(record)
		if err != nil {
			t.Fatal(err)
		}
		this := visit{row.Class.String(), row.Basket.HeldOut()}
		if before, seen := visits[record[colBasketID]]; seen && before != this {
			t.Fatalf("basket %s has rows %v and %v", record[colBasketID], before, this)
		}
		visits[record[colBasketID]] = this
	}
	if len(visits) < 400 {
		t.Errorf("%d baskets in 5000 rows: expected about 650", len(visits))
	}
}
