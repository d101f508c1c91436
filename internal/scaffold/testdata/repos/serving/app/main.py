from fastapi import FastAPI

from app.routes import health, scoring


def create_app() -> FastAPI:
    app = FastAPI(title="Scores")
    app.include_router(health.router, tags=["health"])
    app.include_router(scoring.router, prefix="/v1", tags=["scores"])
    return app


app = create_app()
