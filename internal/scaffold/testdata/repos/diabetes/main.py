import pickle

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
with open("diabetes_model.pkl", "rb") as f:
    model = pickle.load(f)


class Patient(BaseModel):
    Pregnancies: int
    Glucose: float
    BMI: float
    Age: int


@app.get("/")
def read_root():
    return {"message": "diabetes"}


@app.post("/diabetes_prediction")
def predict(patient: Patient):
    return {"diabetic": bool(model.predict([list(patient.dict().values())])[0])}
