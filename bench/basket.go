package main

import "github.com/slipway-cd/slipway/bench/measure"

const predictBody = `{"BASKET_SIZE":"L","BASKET_TYPE":"Full Shop","STORE_REGION":"E02","STORE_FORMAT":"LS","SPEND":12.5,"QUANTITY":3,"PROD_CODE_20":"DEP00001","PROD_CODE_30":"G00001"}`

// predictRequest returns a prediction request over keep-alive connections.
func predictRequest(url string) measure.RequestFunc {
	return measure.Post(measure.Client(true, 64), url+"/predict", predictBody)
}
