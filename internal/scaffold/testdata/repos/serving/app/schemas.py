from enum import Enum
from typing import Literal

from pydantic import BaseModel, Field


class Unit(str, Enum):
    CM = "cm"
    INCH = "inch"


class Base(BaseModel):
    source: Literal["web", "shop"]


class ScoreRequest(Base):
    features: list[float] = Field(..., min_length=1)
    unit: Unit
    version: str | None = Field(None, description="of the model")
    top: int = 3
    strict: bool = False


class ScoreResponse(BaseModel):
    score: float
