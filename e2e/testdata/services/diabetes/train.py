import csv
import json

with open("data/diabetes.csv") as f:
    rows = list(csv.DictReader(f))
sick = [float(r["Glucose"]) for r in rows if r["Outcome"] == "1"]
json.dump({"glucose": min(sick) - 40}, open("models/diabetes_model.json", "w"))
