package data

import (
	"bufio"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"example.com/retail/internal/retail"
)

// unclassified is dunnhumby's mark for baskets without a price sensitivity.
const unclassified = "XX"

// Table is what a file of till rows holds.
type Table struct {
	Rows    []Row  // classified rows, in the order of the file
	Dropped int    // rows whose target is XX
	Digest  string // of the file's bytes, "sha256:<hex>"
}

// ReadFile reads the till rows in the CSV file at path. See Read.
func ReadFile(path string) (Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return Table{}, fmt.Errorf("open data: %w (generate some with `go run ./cmd/generate -out %s`)", err, path)
	}
	defer f.Close()
	t, err := Read(f)
	if err != nil {
		return Table{}, fmt.Errorf("read %s: %w", path, err)
	}
	return t, nil
}

// Read reads till rows as CSV with the 22 columns of Header, with or without a
// byte order mark, lines ending in LF or CRLF. Rows with the target XX are counted
// and left out; anything else unexpected is an error that names line and column.
func Read(r io.Reader) (Table, error) {
	hash := sha256.New()
	buffered := bufio.NewReader(io.TeeReader(r, hash))
	if mark, _ := buffered.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3) // cannot fail: the three bytes were just seen
	}
	lines := csv.NewReader(buffered)
	lines.FieldsPerRecord = Columns
	lines.ReuseRecord = true
	if err := readHeader(lines); err != nil {
		return Table{}, err
	}
	var t Table
	for {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			t.Digest = fmt.Sprintf("sha256:%x", hash.Sum(nil))
			return t, nil
		}
		if err != nil {
			return Table{}, explain(err, len(record))
		}
		if record[colBasketPriceSensitivity] == unclassified {
			t.Dropped++
			continue
		}
		row, err := parse(record)
		if err != nil {
			line, _ := lines.FieldPos(0)
			return Table{}, fmt.Errorf("line %d: %w", line, err)
		}
		t.Rows = append(t.Rows, row)
	}
}

func readHeader(lines *csv.Reader) error {
	record, err := lines.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty: expected a header line with 22 columns")
	}
	if err != nil {
		return explain(err, len(record))
	}
	for i, want := range Header() {
		if record[i] != want {
			return fmt.Errorf("line 1: column %d is %q, expected %s (dunnhumby's 22 columns in their order)", i+1, record[i], want)
		}
	}
	return nil
}

// explain adds what encoding/csv leaves out: the number of columns.
func explain(err error, got int) error {
	if bad, ok := errors.AsType[*csv.ParseError](err); ok && errors.Is(bad.Err, csv.ErrFieldCount) {
		return fmt.Errorf("line %d: %d columns, expected %d (is the file cut short?)", bad.Line, got, Columns)
	}
	return err
}

func parse(record []string) (Row, error) {
	class, err := retail.ParseClass(record[colBasketPriceSensitivity])
	if err != nil {
		return Row{}, fmt.Errorf("column %s: %w (or XX)", retail.Target, err)
	}
	spend, err := strconv.ParseFloat(record[colSpend], 64)
	if err != nil || spend < 0 || math.IsNaN(spend) || math.IsInf(spend, 0) {
		return Row{}, fmt.Errorf("column SPEND: %q is not an amount of at least 0", record[colSpend])
	}
	quantity, err := strconv.Atoi(record[colQuantity])
	if err != nil || quantity < 1 {
		return Row{}, fmt.Errorf("column QUANTITY: %q is not a whole number of at least 1", record[colQuantity])
	}
	return Row{
		Class: class,
		Features: retail.Features{
			BasketSize:  record[colBasketSize],
			BasketType:  record[colBasketType],
			StoreRegion: record[colStoreRegion],
			StoreFormat: record[colStoreFormat],
			ProdCode20:  record[colProdCode20],
			ProdCode30:  record[colProdCode30],
			Spend:       spend,
			Quantity:    float64(quantity),
		},
		Basket: Basket{
			Customer: record[colCustCode],
			Date:     record[colShopDate],
			Hour:     record[colShopHour],
			Store:    record[colStoreCode],
			Size:     record[colBasketSize],
			Type:     record[colBasketType],
			Mission:  record[colBasketDominantMission],
		},
	}, nil
}
