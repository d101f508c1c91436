"""The columns of the data, and the fields of the API, that a prediction is made from."""

TARGET = "BASKET_PRICE_SENSITIVITY"

# LA: less affluent, MM: mid-market, UM: up-market; also the order of all probabilities.
CLASSES = ("LA", "MM", "UM")

CATEGORIES = ("BASKET_SIZE", "BASKET_TYPE", "STORE_REGION", "STORE_FORMAT", "PROD_CODE_20", "PROD_CODE_30")
FEATURES = (*CATEGORIES, "SPEND", "QUANTITY")
