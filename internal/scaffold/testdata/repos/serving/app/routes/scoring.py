from fastapi import APIRouter, Request

from app.schemas import ScoreRequest, ScoreResponse

router = APIRouter()


@router.post("/reload")
async def reload(request: Request):
    return {"reloaded": True}


@router.post("/predict", response_model=ScoreResponse)
async def predict(request: Request, payload: ScoreRequest):
    return ScoreResponse(score=sum(payload.features))
