package client

import (
	"errors"
	"io"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

func TestDiscardLogs(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = w
	DiscardLogs()
	klog.Warning("watch ended with error")
	klog.Background().Error(errors.New("unexpected EOF"), "request")
	runtime.HandleError(errors.New("reflector")) // libraries call it
	klog.Flush()
	os.Stderr = stderr
	klog.ClearLogger()
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil || len(text) > 0 {
		t.Errorf("stderr = %q, %v; want nothing", text, err)
	}
}
