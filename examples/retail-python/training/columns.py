"""The columns of dunnhumby's till data, in its order.

SHOP_DATE is yyyymmdd, SHOP_WEEKDAY counts from 1 = Sunday, SHOP_HOUR is 0-23,
SPEND is in pounds with two decimals.
"""

HEADER = (
    "SHOP_WEEK",
    "SHOP_DATE",
    "SHOP_WEEKDAY",
    "SHOP_HOUR",
    "QUANTITY",
    "SPEND",
    "PROD_CODE",
    "PROD_CODE_10",
    "PROD_CODE_20",
    "PROD_CODE_30",
    "PROD_CODE_40",
    "CUST_CODE",
    "CUST_PRICE_SENSITIVITY",
    "CUST_LIFESTAGE",
    "BASKET_ID",
    "BASKET_SIZE",
    "BASKET_PRICE_SENSITIVITY",
    "BASKET_TYPE",
    "BASKET_DOMINANT_MISSION",
    "STORE_CODE",
    "STORE_FORMAT",
    "STORE_REGION",
)

# The columns that a visit to a till fixes. BASKET_ID would be the obvious key, but
# published copies of the data went through a spreadsheet that wrote every one of
# them as 9.94E+14.
BASKET = ("CUST_CODE", "SHOP_DATE", "SHOP_HOUR", "STORE_CODE", "BASKET_SIZE", "BASKET_TYPE", "BASKET_DOMINANT_MISSION")
