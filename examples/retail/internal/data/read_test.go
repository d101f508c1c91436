package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/retail/internal/retail"
)

const aRow = "200607,20060413,5,20,2,1.5,PRD0900001,CL00001,DEP00002,G00003,D00001,,,,9.94E+14,L,LA,Top Up,Fresh,STORE00001,LS,E02"

func headerLine() string {
	header := Header()
	return strings.Join(header[:], ",")
}

func TestRead_AcceptsOriginalFormat(t *testing.T) {
	unclassified := strings.Replace(aRow, ",LA,", ",XX,", 1)
	for name, text := range map[string]string{
		"CRLF":            strings.Join([]string{headerLine(), aRow, unclassified, ""}, "\r\n"),
		"LF, no last one": strings.Join([]string{headerLine(), aRow, unclassified}, "\n"),
		"byte order mark": "\xef\xbb\xbf" + strings.Join([]string{headerLine(), unclassified, aRow}, "\n"),
	} {
		t.Run(name, func(t *testing.T) {
			table, err := Read(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if len(table.Rows) != 1 || table.Dropped != 1 || !strings.HasPrefix(table.Digest, "sha256:") {
				t.Fatalf("got %+v", table)
			}
			want := retail.Features{
				BasketSize: "L", BasketType: "Top Up", StoreRegion: "E02", StoreFormat: "LS",
				ProdCode20: "DEP00002", ProdCode30: "G00003", Spend: 1.5, Quantity: 2,
			}
			if got := table.Rows[0]; got.Features != want || got.Class != retail.LA || got.Basket.Store != "STORE00001" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestRead_Errors(t *testing.T) {
	bad := func(from, to string) string { return headerLine() + "\n" + strings.Replace(aRow, from, to, 1) }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":         {"", []string{"empty", "22 columns"}},
		"renamed":       {strings.Replace(headerLine(), "SPEND", "PRICE", 1), []string{"line 1", "column 6", `"PRICE"`, "SPEND"}},
		"few columns":   {"SHOP_WEEK,SHOP_DATE\n", []string{"line 1", "2 columns", "22"}},
		"cut short":     {bad(",LS,E02", ""), []string{"line 2", "20 columns", "22"}},
		"unknown class": {bad(",LA,", ",ZZ,"), []string{"line 2", "BASKET_PRICE_SENSITIVITY", `"ZZ"`}},
		"text spend":    {bad(",1.5,", ",lots,"), []string{"line 2", "SPEND", `"lots"`}},
		"NaN spend":     {bad(",1.5,", ",NaN,"), []string{"line 2", "SPEND"}},
		"refund":        {bad(",1.5,", ",-1.5,"), []string{"line 2", "SPEND"}},
		"half an item":  {bad(",2,", ",0.5,"), []string{"line 2", "QUANTITY", `"0.5"`}},
		"stray quote":   {bad("Top Up", `"Top`), []string{"line 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.text))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestReadFile_ErrorNamesFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.csv")
	broken := filepath.Join(t.TempDir(), "broken.csv")
	if err := os.WriteFile(broken, []byte("a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{missing, broken} {
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v does not name %s", err, path)
		}
	}
}

func TestDivide_KeepsBasketsWhole(t *testing.T) {
	table, err := Read(strings.NewReader(string(generated(t, 8000, 5))))
	if err != nil {
		t.Fatal(err)
	}
	training, heldOut := Divide(table.Rows)
	learnt := make(map[Basket]bool)
	for _, r := range training {
		learnt[r.Basket] = true
	}
	for _, r := range heldOut {
		if learnt[r.Basket] {
			t.Fatalf("basket %+v is on both sides", r.Basket)
		}
	}
	share := float64(Baskets(heldOut)) / float64(Baskets(table.Rows))
	if len(training)+len(heldOut) != len(table.Rows) || share < .2 || share > .3 {
		t.Errorf("%d + %d of %d rows, %.2f of the baskets held out", len(training), len(heldOut), len(table.Rows), share)
	}
}
