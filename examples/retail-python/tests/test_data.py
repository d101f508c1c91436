import csv

import pytest

from training import data
from training.columns import HEADER
from training.files import write
from training.generate import generate

LINE = "200607,20060413,5,15,2,1.5,PRD1,CL1,DEP1,G1,D1,CUST1,UM,YF,994100100000000,L,UM,Full Shop,Mixed,STORE1,LS,E02"


def read(tmp_path, text: str | bytes) -> data.Table:
    path = tmp_path / "t.csv"
    write(path, text if isinstance(text, bytes) else text.encode())
    return data.read(path)


def test_same_seed_writes_the_same_bytes():
    assert generate(400, 7) == generate(400, 7)
    assert generate(400, 7) != generate(400, 8)


@pytest.mark.parametrize("rows", [1, 2, 333])
def test_generated_rows_are_read(tmp_path, rows):
    text = generate(rows, 1)
    assert text.startswith(",".join(HEADER) + "\r\n")
    table = read(tmp_path, text)
    assert (len(table.rows), table.dropped) == (rows, 0)


def test_a_visit_has_one_class_and_one_side_of_the_split(csv_file, table):
    visits: dict[str, tuple[str, bool]] = {}
    with csv_file.open(newline="") as lines:
        for record, row in zip(csv.DictReader(lines), table.rows, strict=True):
            this = (row.label, data.held_out(row.basket))
            assert visits.setdefault(record["BASKET_ID"], this) == this
    assert len(visits) > 200
    training, measured = data.divide(table.rows)
    assert not {r.basket for r in training} & {r.basket for r in measured}
    assert 0.15 < data.baskets(measured) / data.baskets(table.rows) < 0.35


def test_the_split_is_that_of_the_go_example():
    # What Basket.HeldOut of the Go example says about these baskets.
    sides = [data.held_out((f"CUST{i}", "20060413", "15", "STORE00001", "L", "Full Shop", "Mixed")) for i in range(12)]
    assert "".join("h" if side else "t" for side in sides) == "thtththhtthh"


def test_mark_line_ends_and_unclassified_rows(tmp_path):
    header = ",".join(HEADER)
    unclassified = LINE.replace(",L,UM,", ",L,XX,")
    table = read(tmp_path, b"\xef\xbb\xbf" + f"{header}\r\n{LINE}\n{unclassified}\r\n".encode())
    assert (len(table.rows), table.dropped) == (1, 1)
    assert table.rows[0].features.spend == 1.5
    assert table.digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("A,B\n", "line 1: column 1 is 'A', expected SHOP_WEEK"),
        (",".join(HEADER[:-1]) + "\n", "line 1: column 22 is 'missing', expected STORE_REGION"),
        ("{h}\n1,2\n", "line 2: 2 columns, expected 22 (is the file cut short?)"),
        ("{h}\n{l}\n" + LINE.replace(",2,1.5,", ",2,-1,"), "line 3: column SPEND: '-1' is not an amount"),
        ("{h}\n" + LINE.replace(",2,1.5,", ",2,nan,"), "column SPEND"),
        ("{h}\n" + LINE.replace(",2,1.5,", ",0,1.5,"), "line 2: column QUANTITY: '0' is not a whole number"),
        ("{h}\n" + LINE.replace(",L,UM,", ",L,??,"), "column BASKET_PRICE_SENSITIVITY: '??' is not one of LA, MM, UM (or XX)"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, says):
    if isinstance(text, str):
        text = text.replace("{h}", ",".join(HEADER)).replace("{l}", LINE)
    with pytest.raises(data.DataError) as wrong:
        read(tmp_path, text)
    assert says in str(wrong.value)


def test_no_file_says_how_to_make_one(tmp_path):
    with pytest.raises(data.DataError, match=r"training\.generate"):
        data.read(tmp_path / "none.csv")
