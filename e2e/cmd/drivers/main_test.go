package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResults(t *testing.T) {
	r, err := read(strings.NewReader(`{"Action":"run","Package":"x/engine","Test":"TestAway/s3"}
{"Action":"attr","Package":"x/engine","Test":"TestAway/s3/long","Key":"kills","Value":"20"}
{"Action":"attr","Package":"x/engine","Test":"TestAway/s3/short","Key":"kills","Value":"3"}
{"Action":"pass","Package":"x/engine","Test":"TestAway/s3/long"}
{"Action":"pass","Package":"x/engine","Test":"TestAway/s3"}
{"Action":"output","Package":"x/engine","Test":"TestAway/azure","Output":"skipping\n"}
{"Action":"skip","Package":"x/engine","Test":"TestAway/azure"}
{"Action":"output","Package":"x/engine","Test":"TestAway/gcs","Output":"ran twice\n"}
{"Action":"fail","Package":"x/engine","Test":"TestAway/gcs"}
{"Action":"pass","Package":"x/engine","Test":"TestOther"}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	r.print(&got)
	want := `ran twice
test      folder  s3  azure    gcs   postgres
TestAway  -       ok  skipped  FAIL  -
kills     0       23  0        0     0
`
	if diff := cmp.Diff(want, got.String()); diff != "" || !r.failed {
		t.Errorf("failed = %v, want true; table (-want +got):\n%s", r.failed, diff)
	}
}
