import pickle

import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score

MODEL_FILE = "diabetes_model.pkl"

data = pd.read_csv("data/diabetes.csv")
model = RandomForestClassifier(random_state=7).fit(data.drop(columns="Outcome"), data.Outcome)
print("accuracy", accuracy_score(data.Outcome, model.predict(data.drop(columns="Outcome"))))
pickle.dump(model, open(MODEL_FILE, "wb"))
