"""Serves the classes of baskets."""

from typing import Dict, List, Optional

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from loader import Loader

app = FastAPI(title="Baskets")
loader = Loader()


class Basket(BaseModel):
    BASKET_SIZE: str = Field(..., description="S, M or L")
    STORE_REGION: str = Field(..., examples=["E02"])
    SPEND: float = Field(..., gt=0)
    QUANTITY: int = Field(..., gt=0)
    CARD: Optional[str] = None


class Answer(BaseModel):
    prediction: str
    probability: Dict[str, float]


class State(BaseModel):
    status: str
    model_loaded: bool


@app.get("/")
async def root():
    return {"service": "baskets"}


@app.get("/health", response_model=State)
async def health():
    return State(status="healthy", model_loaded=loader.loaded())


@app.get("/ready", response_model=State)
async def ready():
    return await health()


@app.post("/predict/batch")
async def predict_batch(baskets: List[Basket]):
    return [loader.classify(b) for b in baskets]


@app.post("/predict", response_model=Answer)
async def predict(basket: Basket):
    try:
        return loader.classify(basket)
    except ValueError as e:
        raise HTTPException(status_code=400, detail=str(e)) from e
