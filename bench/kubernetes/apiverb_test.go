package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRequestVerb(t *testing.T) {
	for request, want := range map[string]string{
		"GET /version":                "discovery",
		"GET /api/v1":                 "discovery",
		"GET /apis/apps/v1":           "discovery",
		"GET /api/v1/nodes":           "list",
		"GET /api/v1/nodes/n1":        "get",
		"GET /api/v1/namespaces/shop": "get",
		"GET /api/v1/namespaces/shop/pods?labelSelector=a%3Db":                      "list",
		"GET /api/v1/namespaces/shop/pods?watch=true":                               "watch",
		"GET /api/v1/namespaces/shop/pods?watch=1":                                  "watch",
		"GET /api/v1/namespaces/shop/pods/a/log?follow=true":                        "get",
		"POST /apis/apps/v1/namespaces/shop/deployments":                            "create",
		"PUT /apis/coordination.k8s.io/v1/namespaces/shop/leases/l":                 "update",
		"PATCH /apis/apps/v1/namespaces/shop/deployments/d?fieldManager=x":          "patch",
		"PATCH /apis/apps/v1/namespaces/shop/deployments/d?dryRun=All&fieldManager": "patch (dry run)",
		"DELETE /api/v1/namespaces/shop/configmaps/c":                               "delete",
	} {
		method, target, _ := strings.Cut(request, " ")
		if got := requestVerb(httptest.NewRequest(method, target, nil)); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}
