package main

import "testing"

func TestBehaviour(t *testing.T) {
	if behaviour == "fails its test" {
		t.Errorf("behaviour is %q", behaviour)
	}
}
